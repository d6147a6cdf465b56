"""The archive: nothing that is in it can be taken away by a mistake."""

from collections.abc import Iterator

from tests.template.rules.reading import Properties, as_list, names, of_type, statements
from tests.template.rules.rule import Rule, RuleMatch, Template

_NEVER = {"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:DeleteBucket", "s3:BypassGovernanceRetention"}
_NOT_BY_US = {
    "s3:DeleteBucketPolicy",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutBucketPolicy",
    "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration",
    "s3:PutReplicationConfiguration",
}


class ArchiveLocked(Rule):
    """What a source backup goes to is the last copy of a write that is left when all else is lost."""

    id = "E9122"
    shortdesc = "The archive is versioned, kept, and denies deletion to everybody and its settings to every role"

    def match(self, cfn: Template) -> list[RuleMatch]:
        backups = [
            stream["ExtendedS3DestinationConfiguration"].get("S3BackupConfiguration", {}).get("BucketARN")
            for _, stream in of_type(cfn, "AWS::KinesisFirehose::DeliveryStream")
        ]
        return [
            RuleMatch(["Resources", name], f"{name} {fault}")
            for name, bucket in of_type(cfn, "AWS::S3::Bucket")
            if any(names(backup, name) for backup in backups)
            for fault in self._faults(cfn, name, bucket)
        ]

    def _faults(self, cfn: Template, name: str, bucket: Properties) -> Iterator[str]:
        if bucket.get("VersioningConfiguration", {}).get("Status") != "Enabled":
            yield "is not versioned"
        policies = {key: value for key, value in of_type(cfn, "AWS::S3::BucketPolicy") if names(value["Bucket"], name)}
        for policy in policies:
            if cfn.template["Resources"][policy].get("DeletionPolicy") != "Retain":
                yield "loses its policy with the stack"
        denied = [
            statement
            for policy in policies.values()
            for statement in statements(policy["PolicyDocument"])
            if statement["Effect"] == "Deny" and statement["Principal"] == "*"
        ]
        always = {action for one in denied if "Condition" not in one for action in as_list(one["Action"])}
        for action in sorted(_NEVER - always):
            yield f"does not deny {action} to everybody"
        for role, _ in of_type(cfn, "AWS::IAM::Role"):
            ours = {action for one in denied if self._of(one, role) for action in as_list(one["Action"])}
            for action in sorted(_NOT_BY_US - ours):
                yield f"does not deny {action} to {role}"

    def _of(self, statement: Properties, role: str) -> bool:
        arns = statement.get("Condition", {}).get("ArnEquals", {}).get("aws:PrincipalArn", [])
        return names(arns, role)
