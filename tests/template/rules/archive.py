"""The archive: nobody can delete a source record by mistake."""

from collections.abc import Iterator

from tests.template.rules.reading import Properties, as_list, names, of_type, statements
from tests.template.rules.rule import Rule, RuleMatch, Template

_DENIED_TO_ALL = {"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:DeleteBucket", "s3:BypassGovernanceRetention"}
_DENIED_TO_ROLES = {
    "s3:DeleteBucketPolicy",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutBucketPolicy",
    "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration",
    "s3:PutReplicationConfiguration",
}


class ArchiveLocked(Rule):
    """The bucket of the source backup has the last copy of a write when everything else is lost."""

    id = "E9122"
    shortdesc = "The archive is versioned; nobody can delete its records, and no role can change its settings"

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
            if cfn.template["Resources"][policy].get("DeletionPolicy") != "RetainExceptOnCreate":
                yield "loses its bucket policy when the stack is deleted"
        denied = [
            statement
            for policy in policies.values()
            for statement in statements(policy["PolicyDocument"])
            if statement["Effect"] == "Deny" and statement["Principal"] == "*"
        ]
        unconditional = [statement for statement in denied if "Condition" not in statement]
        always = {action for statement in unconditional for action in as_list(statement["Action"])}
        for action in sorted(_DENIED_TO_ALL - always):
            yield f"does not deny {action} to everybody"
        for role, _ in of_type(cfn, "AWS::IAM::Role"):
            of_role = [statement for statement in denied if self._applies_to(statement, role)]
            ours = {action for statement in of_role for action in as_list(statement["Action"])}
            for action in sorted(_DENIED_TO_ROLES - ours):
                yield f"does not deny {action} to {role}"

    def _applies_to(self, statement: Properties, role: str) -> bool:
        arns = statement.get("Condition", {}).get("ArnEquals", {}).get("aws:PrincipalArn", [])
        return names(arns, role)
