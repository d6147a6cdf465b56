"""What an operator needs when something is slow, costs too much or was read: logs, measurements and storage classes."""

from collections.abc import Iterator

from tests.template.rules.reading import Properties, as_list, branches, names, of_type
from tests.template.rules.rule import Rule, RuleMatch, Template

# Storage classes from which S3 reads at once. Objects of the others have to be restored first, which takes hours.
_READ_AT_ONCE = {"GLACIER_IR", "INTELLIGENT_TIERING", "STANDARD_IA"}
# S3 bills smaller objects of these classes as if they had this size, in bytes.
_SMALLEST_BILLED = 131_072


class DatabaseObserved(Rule):
    """Without them, an operator of a slow or crashed database has no figures, and a full one stops the loads."""

    id = "E9176"
    shortdesc = "Databases export their error log and offer measurements, slow queries and growing storage by parameter"

    choices = ("EnablePerformanceInsights", "MaxAllocatedStorage", "MonitoringInterval", "MonitoringRoleArn")

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name, "Properties"], f"{name} {fault}")
            for name, database in of_type(cfn, "AWS::RDS::DBInstance")
            for fault in self._faults(cfn, database)
        ]

    def _faults(self, cfn: Template, database: Properties) -> Iterator[str]:
        exports = [as_list(side) for side in branches(database.get("EnableCloudwatchLogsExports", []))]
        if not all("error" in exported for exported in exports):
            yield "does not always export its error log"
        if not any("slowquery" in exported for exported in exports):
            yield "cannot export slow queries"
        elif not self._writes_slow_queries(cfn, database):
            yield "exports slow queries that its parameter group does not write to a file"
        for choice in self.choices:
            if choice not in database:
                yield f"has no {choice}"

    def _writes_slow_queries(self, cfn: Template, database: Properties) -> bool:
        return any(
            names(database.get("DBParameterGroupName"), name)
            and {"1"} <= set(branches(group["Parameters"].get("slow_query_log")))
            and group["Parameters"].get("log_output") == "FILE"
            for name, group in of_type(cfn, "AWS::RDS::DBParameterGroup")
        )


class ArchiveCools(Rule):
    """Source records are kept for years and hardly read, but a rebuild must read them at once."""

    id = "E9177"
    shortdesc = "Old objects of the archive move to a cheaper class that is read at once, unless they are too small"

    def match(self, cfn: Template) -> list[RuleMatch]:
        backups = [
            stream["ExtendedS3DestinationConfiguration"].get("S3BackupConfiguration", {}).get("BucketARN")
            for _, stream in of_type(cfn, "AWS::KinesisFirehose::DeliveryStream")
        ]
        return [
            RuleMatch(["Resources", name, "Properties"], f"{name} {fault}")
            for name, bucket in of_type(cfn, "AWS::S3::Bucket")
            if any(names(backup, name) for backup in backups)
            for fault in self._faults(bucket)
        ]

    def _faults(self, bucket: Properties) -> Iterator[str]:
        listed = bucket.get("LifecycleConfiguration", {}).get("Rules", [])
        rules = [rule for entry in listed for rule in branches(entry) if "Transitions" in rule]
        if not rules:
            yield "keeps everything in the most expensive class"
        for rule in rules:
            if int(rule.get("ObjectSizeGreaterThan", 0)) < _SMALLEST_BILLED - 1:
                yield "moves objects whose new class bills more than their size"
            for transition in rule["Transitions"]:
                if transition["StorageClass"] not in _READ_AT_ONCE:
                    yield f"moves objects to {transition['StorageClass']}, from which nothing can be read at once"


class AccessLogged(Rule):
    """Who read or wrote an object, for an audit."""

    id = "E9179"
    shortdesc = "Buckets can log the access to their objects"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name, "Properties"], f"{name} cannot log the access to its objects")
            for name, bucket in of_type(cfn, "AWS::S3::Bucket")
            if not any(branches(bucket.get("LoggingConfiguration")))
        ]
