"""Storage: encrypted, with TLS only, and retained where it has data."""

from typing import Any

from tests.template.rules.reading import Properties, branches, names, of_type, statements
from tests.template.rules.rule import Rule, RuleMatch, Template

_POLICIES = {
    "AWS::S3::Bucket": "AWS::S3::BucketPolicy",
    "AWS::SQS::Queue": "AWS::SQS::QueuePolicy",
    "AWS::SNS::Topic": "AWS::SNS::TopicPolicy",
}
_PUBLIC_ACCESS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
_WITH_DATA = (
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::RDS::DBInstance",
    "AWS::Cognito::UserPool",
    "AWS::KinesisFirehose::DeliveryStream",
)


def _denies_plain_http(policy: Properties) -> bool:
    return any(
        statement["Effect"] == "Deny"
        and statement["Principal"] == "*"
        and statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport") == "false"
        for statement in statements(policy["PolicyDocument"])
    )


class TlsOnly(Rule):
    """Buckets, queues and topics deny plain HTTP."""

    id = "E9107"
    shortdesc = "Buckets, queues and topics require TLS"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name], f"{name} has no policy that denies requests without TLS")
            for kind, policy_kind in _POLICIES.items()
            for name, _ in of_type(cfn, kind)
            if not any(names(policy, name) and _denies_plain_http(policy) for _, policy in of_type(cfn, policy_kind))
        ]


class Encrypted(Rule):
    """The template sets encryption; it does not rely on the defaults of an account."""

    id = "E9108"
    shortdesc = "Buckets, queues, topics, streams, caches and databases are encrypted, and no bucket can be made public"

    def match(self, cfn: Template) -> list[RuleMatch]:
        faults = [
            *((name, "is not encrypted") for name in self._unencrypted(cfn)),
            *(
                (name, f"does not block public access ({key})")
                for name, bucket in of_type(cfn, "AWS::S3::Bucket")
                for key in _PUBLIC_ACCESS
                if bucket.get("PublicAccessBlockConfiguration", {}).get(key) is not True
            ),
        ]
        return [RuleMatch(["Resources", name, "Properties"], f"{name} {fault}") for name, fault in faults]

    def _unencrypted(self, cfn: Template) -> list[str]:
        encryption: dict[str, Any] = {
            "AWS::S3::Bucket": lambda bucket: bucket.get("BucketEncryption"),
            "AWS::SQS::Queue": lambda queue: queue.get("SqsManagedSseEnabled") or queue.get("KmsMasterKeyId"),
            "AWS::SNS::Topic": lambda topic: topic.get("KmsMasterKeyId"),
            "AWS::KinesisFirehose::DeliveryStream": lambda stream: stream.get(
                "DeliveryStreamEncryptionConfigurationInput"
            ),
            "AWS::ElastiCache::ReplicationGroup": lambda cache: (
                cache.get("AtRestEncryptionEnabled") is True and cache.get("TransitEncryptionEnabled") is True
            ),
            # A replica is encrypted as its source is.
            "AWS::RDS::DBInstance": lambda database: (
                database.get("StorageEncrypted") is True or "SourceDBInstanceIdentifier" in database
            ),
        }
        return [
            name
            for kind, encrypted in encryption.items()
            for name, properties in of_type(cfn, kind)
            if not encrypted(properties)
        ]


class DataRetained(Rule):
    """Neither the deletion of the stack nor the replacement of a resource loses data."""

    id = "E9109"
    shortdesc = "Resources with data outlive their stack"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name], f"{name} has data, and its {policy} is neither {kept} nor Snapshot")
            for kind in _WITH_DATA
            for name, properties in of_type(cfn, kind)
            if "SourceDBInstanceIdentifier" not in properties
            # CloudFormation documents RetainExceptOnCreate for the first of the two only.
            for policy, kept in (("DeletionPolicy", "RetainExceptOnCreate"), ("UpdateReplacePolicy", "Retain"))
            if cfn.template["Resources"][name].get(policy) not in {kept, "Snapshot"}
        ]


class NoOpenIngress(Rule):
    """Nothing in the VPC is reachable from outside."""

    id = "E9110"
    shortdesc = "No security group allows ingress from the internet, and no database is public"

    def match(self, cfn: Template) -> list[RuleMatch]:
        rules = [
            *of_type(cfn, "AWS::EC2::SecurityGroupIngress"),
            *(
                (name, rule)
                for name, group in of_type(cfn, "AWS::EC2::SecurityGroup")
                for listed in branches(group.get("SecurityGroupIngress", []))
                for rule in listed
            ),
        ]
        opened = [name for name, rule in rules if rule.get("CidrIp") == "0.0.0.0/0" or rule.get("CidrIpv6") == "::/0"]
        public = [name for name, database in of_type(cfn, "AWS::RDS::DBInstance") if database.get("PubliclyAccessible")]
        return [
            *(RuleMatch(["Resources", name], f"{name} allows ingress from the whole internet") for name in opened),
            *(RuleMatch(["Resources", name], f"{name} has a public address") for name in public),
        ]
