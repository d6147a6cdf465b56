"""sam deploy to the emulator, with what only the local stack can know as parameters."""

import json
from typing import Any

from local.cache import Cache
from local.database import Pair
from local.process import LocalError
from local.stack.building import CONFIG
from local.stack.emulator import CREDENTIALS, REGION, Emulator
from local.stack.folder import Folder
from local.stack.sam import run_sam
from local.stack.settings import as_overrides, configured_parameters, machine_architecture, machine_runtime

STACK_NAME = "sluice-local"
# The secrets' names.
_ADMIN, _CACHE_USER = "sluice-local/database-admin", "sluice-local/cache-user"


def settled(chosen: dict[str, str]) -> dict[str, str]:
    """The template's parameters before what is a fact here: those of samconfig.toml's `local`, then `chosen`."""
    return {**configured_parameters(CONFIG, "local"), **chosen}


def has_cache(settings: dict[str, str]) -> bool:
    """Whether the stack has a read cache."""
    return settings.get("ReadCache") == "true"


def parameters(settings: dict[str, str], emulator: Emulator, pair: Pair, cache: Cache) -> dict[str, str]:
    """All parameters of the template; the secrets that they name are kept where the functions look for them."""
    cached = has_cache(settings)
    return {
        **settings,
        **({"CachePort": str(cache.port), "CacheSecretArn": _put(emulator, _CACHE_USER, cache.user)} if cached else {}),
        "Runtime": machine_runtime(),
        "Architecture": machine_architecture(),
        "ProvisionDatabase": "false",
        "PrimaryEndpoint": pair.primary.host,
        "PrimaryPort": str(pair.primary.port),
        "ReplicaEndpoint": pair.replica.host,
        "ReplicaPort": str(pair.replica.port),
        "DatabaseAdminSecretArn": _put(emulator, _ADMIN, pair.admin),
    }


def _put(emulator: Emulator, name: str, account: tuple[str, str]) -> str:
    """Keep credentials in a secret; returns its ARN."""
    secrets = emulator.client("secretsmanager")
    username, password = account
    value = json.dumps({"username": username, "password": password})
    try:
        present = secrets.get_secret_value(SecretId=name)
    except secrets.exceptions.ResourceNotFoundException:
        return str(secrets.create_secret(Name=name, SecretString=value)["ARN"])
    if present["SecretString"] != value:
        secrets.put_secret_value(SecretId=name, SecretString=value)
    return str(present["ARN"])


def deploy(folder: Folder, emulator: Emulator, chosen: dict[str, str]) -> dict[str, str]:
    """Deploy what was built with the parameters given; returns the stack's outputs. Raises LocalError."""
    if _status(emulator) == "ROLLBACK_COMPLETE":
        # A stack whose first deploy failed holds nothing and can only be deleted.
        _delete(emulator)
    run_sam(
        [
            "deploy",
            *("--template-file", str(folder.build / "template.yaml")),
            *("--config-file", str(CONFIG), "--config-env", "local"),
            *("--stack-name", STACK_NAME),
            *("--region", REGION),
            *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"),
            *("--parameter-overrides", *as_overrides(chosen)),
            *("--resolve-s3", "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"),
        ],
        folder.log("deploy"),
        environment={
            **CREDENTIALS,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": emulator.url,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        },
        failure="sam deploy failed.",
    )
    return outputs(emulator)


def is_deployed(emulator: Emulator) -> bool:
    """Whether the emulator has the stack, whole."""
    return _status(emulator) in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}


def outputs(emulator: Emulator) -> dict[str, str]:
    found = _describe(emulator)
    if found is None:
        raise LocalError(f"The emulator has no stack {STACK_NAME}; run `make up`.")
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def _describe(emulator: Emulator) -> dict[str, Any] | None:
    client = emulator.client("cloudformation")
    try:
        found: list[dict[str, Any]] = client.describe_stacks(StackName=STACK_NAME)["Stacks"]
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise
    return found[0] if found else None


def _status(emulator: Emulator) -> str:
    found = _describe(emulator)
    return str(found["StackStatus"]) if found else ""


def _delete(emulator: Emulator) -> None:
    client = emulator.client("cloudformation")
    client.delete_stack(StackName=STACK_NAME)
    client.get_waiter("stack_delete_complete").wait(StackName=STACK_NAME, WaiterConfig={"Delay": 1})
