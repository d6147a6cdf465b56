"""The events that RDS sends to EventBridge.

Names and categories: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html
"""

import datetime
import json

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import eventbridge

from local.emulator.environment import REGION
from local.emulator.rds.registry import Instance

SHUT_DOWN = ("RDS-EVENT-0004", "availability", "DB instance shutdown")
RESTARTED = ("RDS-EVENT-0006", "availability", "DB instance restarted")
BACKED_UP = ("RDS-EVENT-0002", "backup", "Finished DB Instance backup")
CREATED = ("RDS-EVENT-0005", "creation", "DB instance created")
DELETED = ("RDS-EVENT-0003", "deletion", "DB instance deleted")
RESTORED_TO_MOMENT = ("RDS-EVENT-0019", "restoration", "Restored from DB instance by using point-in-time recovery")
RESTORED_SNAPSHOT = ("RDS-EVENT-0043", "restoration", "Restored from snapshot")
FAILED = ("RDS-EVENT-0031", "failure", "DB instance put into failed state. Perform a point-in-time-restore.")

# The account of all requests with root credentials.
_ACCOUNT = "000000000000"


def build_arn(kind: str, identifier: str) -> str:
    """The ARN of an instance (`db`) or snapshot (`snapshot`) in the current account and region."""
    return f"arn:aws:rds:{get_region()}:{get_account_id()}:{kind}:{identifier}"


def send_event(event: tuple[str, str, str], instance: Instance) -> None:
    """Tell EventBridge what happened to an instance."""
    number, category, message = event
    with request_scope(_ACCOUNT, REGION):
        arn = build_arn("db", instance.identifier)
        detail = {
            "EventCategories": [category],
            "SourceType": "DB_INSTANCE",
            "SourceArn": arn,
            "Date": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%S.000Z}",
            "SourceIdentifier": instance.identifier,
            "Message": message,
            "EventID": number,
        }
        entry = {
            "Source": "aws.rds",
            "DetailType": "RDS DB Instance Event",
            "Resources": [arn],
            "Detail": json.dumps(detail),
        }
        eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
