"""Turn the caches of a deployed stack on and off through AWS's APIs, and count what its replica does."""

import time
from typing import Any

import httpx

from local.stack import Stack
from testkit.mix.statements import ReplicaWork

READER = "sluice_reader"  # the account in the reader's secret
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # AWS's managed cache policy


class CacheSwitches:
    """The caches of a stack that was deployed with all of them."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._functions, self._cloudfront = stack.aws_client("lambda"), stack.aws_client("cloudfront")
        self._distribution = stack.outputs["DistributionId"]
        self._policies = [behaviour["CachePolicyId"] for behaviour in self._read_behaviours()[1]]
        names = [stack.outputs[name] for name in ("GetFunctionName", "LoadFunctionName")]
        self._variables = {name: self._read_variables(name) for name in names}

    def set_caches(self, *, cloudfront: bool, api: bool, valkey: bool) -> None:
        """Set the three, and return when the edge knows. The functions start again."""
        self._set_cloudfront(on=cloudfront)
        self._stack.aws_client("apigateway").update_stage(
            restApiId=self._stack.outputs["ApiId"],
            stageName=self._stack.outputs["StageName"],
            patchOperations=[{"op": "replace", "path": "/cacheClusterEnabled", "value": str(api).lower()}],
        )
        for name, variables in self._variables.items():
            chosen = {key: value for key, value in variables.items() if valkey or not key.startswith("CACHE_")}
            self._functions.update_function_configuration(FunctionName=name, Environment={"Variables": chosen})
        httpx.post(f"{self._stack.edge.stage_url}/_edge/read", trust_env=False).raise_for_status()

    def _read_variables(self, name: str) -> dict[str, str]:
        configuration = self._functions.get_function_configuration(FunctionName=name)
        return dict(configuration["Environment"]["Variables"])

    def _read_behaviours(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        response = self._cloudfront.get_distribution_config(Id=self._distribution)
        return response, response["DistributionConfig"]["CacheBehaviors"]["Items"]

    def _set_cloudfront(self, *, on: bool) -> None:
        response, behaviours = self._read_behaviours()
        for behaviour, policy in zip(behaviours, self._policies, strict=True):
            behaviour["CachePolicyId"] = policy if on else CACHING_DISABLED
        for origin in response["DistributionConfig"]["Origins"]["Items"]:
            # AWS returns these defaults; the emulator returns what the template has.
            origin["CustomOriginConfig"] = {"HTTPPort": 80, "HTTPSPort": 443, **origin["CustomOriginConfig"]}
        self._cloudfront.update_distribution(
            Id=self._distribution, IfMatch=response["ETag"], DistributionConfig=response["DistributionConfig"]
        )


class ReplicaCounter:
    """Counts by account with MariaDB's user statistics, so that replication and this benchmark are not counted.

    The health check's heartbeats have the same account, and are counted.
    """

    def __init__(self, stack: Stack) -> None:
        self._connections = [replica.connect_as_root() for replica in stack.servers.replicas]
        for connection in self._connections:
            with connection.cursor() as cursor:
                cursor.execute("SET GLOBAL userstat = 1")

    def read(self) -> ReplicaWork:
        """The sums over all replicas until now."""
        statements, processor_seconds = 0, 0.0
        for connection in self._connections:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT SUM(SELECT_COMMANDS), SUM(CPU_TIME) FROM information_schema.USER_STATISTICS "
                    "WHERE USER = %s",
                    (READER,),
                )
                row: Any = cursor.fetchone()
            statements += int(row[0] or 0)
            processor_seconds += float(row[1] or 0)
        return ReplicaWork(statements, processor_seconds, time.monotonic())
