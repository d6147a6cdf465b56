"""Replace the code of the deployed functions without a deploy, as `sam sync --code` does."""

import hashlib
from collections.abc import Iterable

from local.stack.deployment import list_functions
from local.stack.services import STACK_NAME, EmulatorProcess

# The bucket to which `sam deploy --resolve-s3` uploads packages.
_BUCKET_STACK, _BUCKET = "aws-sam-cli-managed-default", "SamCliSourceBucket"


def replace_code(emulator: EmulatorProcess, archive: bytes, functions: Iterable[str] | None = None) -> int:
    """Give functions of the stack (default: all, which share their code) another zip file; returns how many.

    Environments with the old code end: the next invocation starts one with the new code.
    """
    bucket = emulator.client("cloudformation").describe_stack_resource(
        StackName=_BUCKET_STACK, LogicalResourceId=_BUCKET
    )["StackResourceDetail"]["PhysicalResourceId"]
    key = f"{STACK_NAME}/{hashlib.sha256(archive).hexdigest()}"
    emulator.client("s3").put_object(Bucket=bucket, Key=key, Body=archive)
    names = list_functions(emulator) if functions is None else list(functions)
    client = emulator.client("lambda")
    for name in names:
        client.update_function_code(FunctionName=name, S3Bucket=bucket, S3Key=key)
    # The functions have copies. A day of work would leave hundreds of objects.
    emulator.client("s3").delete_object(Bucket=bucket, Key=key)
    return len(names)
