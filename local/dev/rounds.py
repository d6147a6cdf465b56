"""One round of `make dev`: bring changed sources to the local stack."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from local.dev import imports
from local.process import LocalError
from local.stack import Stack, up
from local.stack.code_update import replace_code
from local.stack.folder import REPOSITORY
from local.stack.lifecycle import build
from local.stack.packaging import get_code_archive
from local.stack.parameters import choose_parameters, resolve_parameters
from local.stack.resource_check import check_resource_classes
from local.stack.sam import API_FILES, CODE, is_built, refresh_api_definition
from local.stack.steps import ProgressReporter


class Server:
    """Serves the sources on the stack, which is up with them. It knows what is served."""

    def __init__(self, stack: Stack, report_progress: ProgressReporter) -> None:
        self._stack = stack
        self._report_progress = report_progress
        self._remember_served()

    def _remember_served(self) -> None:
        self._definition, self._parameters = _read_definition(), choose_parameters({})
        self._archive = get_code_archive(self._stack.folder).read_bytes()

    def serve(self, changed: Iterable[str]) -> str:
        """Serve the sources as they are; returns what was done. Raises LocalError, and the old code is still served.

        `changed` are the paths of the sources that differ from what is served.
        """
        with ThreadPoolExecutor() as executor:
            modules = executor.submit(check_modules, self._stack)
            check_resource_classes(self._report_progress)
            modules.result()
            refresh_api_definition()
        is_definition_new = _read_definition() != self._definition
        # Some parameters follow from the resource classes.
        are_parameters_new = choose_parameters({}) != self._parameters
        if is_definition_new or are_parameters_new or any(is_built(REPOSITORY / path) for path in changed):
            self._stack = up(report_progress=self._report_progress)
            done = "built and deployed, with a new API definition" if is_definition_new else "built and deployed"
        else:
            done = self._replace_code()
        self._remember_served()
        self._forget_cached_responses()
        return done

    def _replace_code(self) -> str:
        """Give all functions the code as it is, after a migration with it; returns what was done.

        The migration comes first, as in a deploy. If it refuses, the old code stays: raises LocalError with its reason.
        """
        stack, emulator = self._stack, self._stack.emulator
        with stack.folder.acquire_lock():
            parameters = resolve_parameters(choose_parameters({}), emulator, stack.servers, stack.cache)
            build(stack.folder, stack.servers, parameters)
            state = stack.folder.read_state()
            state.is_code_replaced = True
            stack.folder.write_state(state)
            new, migrate = get_code_archive(stack.folder).read_bytes(), stack.outputs["MigrateFunctionName"]
            replace_code(emulator, new, [migrate])
            try:
                migrated = _migrate(stack, migrate)
            except LocalError:
                replace_code(emulator, self._archive, [migrate])
                raise
            count = replace_code(emulator, new)
        return "; ".join([*migrated, f"replaced the code of {count} functions"])

    def _forget_cached_responses(self) -> None:
        """Empty the cache of the distribution, which keeps the contract for minutes."""
        url = f"{self._stack.edge.stage_url}/_edge/forget"
        httpx.post(url, timeout=30, trust_env=False).raise_for_status()


def _read_definition() -> list[bytes]:
    return [path.read_bytes() for path in API_FILES]


def check_modules(stack: Stack, source: Path = CODE) -> None:
    """Import every module, with the settings of the functions. Raises LocalError for the first that fails."""
    settings: dict[str, str] = {}
    for page in stack.aws_client("lambda").get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            settings |= function.get("Environment", {}).get("Variables", {})
    process = subprocess.run(
        [sys.executable, "-B", "-P", imports.__file__, str(source)],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "us-east-1", **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode != 0:
        lines = process.stdout.strip().splitlines() or process.stderr.strip().splitlines() or ["no output"]
        raise LocalError(lines[-1].replace(f"{REPOSITORY}{os.sep}", ""))


def _migrate(stack: Stack, function: str) -> list[str]:
    """Migrate the tables; returns what was done. Raises LocalError with the sentence of the migration."""
    response = stack.aws_client("lambda").invoke(FunctionName=function, Payload=b"{}")
    result = json.loads(response["Payload"].read())
    if "FunctionError" in response:
        raise LocalError(f"The migration failed: {result.get('errorMessage', result)}")
    return [*result["done"], *result["notices"]]
