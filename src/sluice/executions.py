"""Step Functions, asked about executions."""

from functools import cache
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from sluice.aws.botocore_client import create_botocore_client


@cache
def _client() -> Any:
    config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 4})
    return create_botocore_client("stepfunctions", config)


def is_execution_running(execution: str) -> bool:
    """Whether an execution, named by its ARN, is running. Raises botocore's errors."""
    try:
        return bool(_client().describe_execution(executionArn=execution)["status"] == "RUNNING")
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
            return False  # Step Functions forgets an execution 90 days after its end
        raise
