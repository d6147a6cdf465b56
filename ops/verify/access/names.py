"""The names of a deployed stack that stand in the tables of permissions."""

from ops.aws import Stack

_SECRETS = {
    "AdminSecretArn": ("AdminSecret", "DatabaseAdminSecretArn"),
    "CacheSecretArn": ("CacheSecret", "CacheSecretArn"),
}
_INSTANCES = (("PrimaryInstance", "Primary", "PrimaryInstance"), ("ReplicaInstance", "Replica", "ReplicaInstances"))


def read_names(stack: Stack) -> dict[str, str]:
    """The outputs of the stack, and these names as far as the stack has them.

    Partition, Region, Account; each workflow by its output without `StateMachineArn`; AlertsKeyArn; PrimaryInstance and
    ReplicaInstance on RDS; MonitoringRole, where RDS monitors the stack's own instances; AdminSecretArn and
    CacheSecretArn, whoever owns them; ExistingAdminSecretArn, when the stack does not own the database.
    """
    names = dict(stack.outputs)
    _, names["Partition"], _, names["Region"], names["Account"], _ = stack.output("AlertsTopicArn").split(":", 5)
    for output, value in stack.outputs.items():
        if output.endswith("StateMachineArn"):
            names[output.removesuffix("StateMachineArn")] = value.rpartition(":")[2]
    key = stack.list_resources("AWS::KMS::Key")["AlertsKey"]
    names["AlertsKeyArn"] = f"arn:{names['Partition']}:kms:{names['Region']}:{names['Account']}:key/{key}"
    if role := stack.list_resources("AWS::IAM::Role").get("DatabaseMonitoringRole"):
        names["MonitoringRole"] = role
    secrets = stack.list_resources("AWS::SecretsManager::Secret")
    for name, (resource, parameter) in _SECRETS.items():
        if arn := secrets.get(resource) or stack.parameters.get(parameter):
            names[name] = arn
    instances = stack.list_resources("AWS::RDS::DBInstance")
    for name, resource, parameter in _INSTANCES:
        if identifiers := instances.get(resource) or stack.parameters.get(parameter):
            names[name] = identifiers.partition(",")[0]
    if existing := stack.parameters.get("DatabaseAdminSecretArn"):
        names["ExistingAdminSecretArn"] = existing
    return names
