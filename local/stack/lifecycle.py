"""Bring a local stack up and down: every part in its order, and only if necessary."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from local.cache import CacheServer
from local.database import DatabaseServers
from local.database.replica_count import set_replica_count
from local.stack.code_update import replace_code
from local.stack.deployment import deploy_stack, is_deployed
from local.stack.folder import StackFolder, StackState
from local.stack.packaging import fingerprint_package, get_code_archive, make_package
from local.stack.parameters import choose_parameters, has_read_cache, resolve_parameters
from local.stack.resource_check import check_resource_classes
from local.stack.sam import refresh_api_definition
from local.stack.services import EdgeProcess, EmulatorProcess
from local.stack.stack import Stack
from local.stack.steps import ProgressReporter, Steps


def _ignore_progress(_line: str) -> None:
    pass


def up(
    folder: Path | None = None,
    *,
    parameter_overrides: dict[str, str] | None = None,
    memory_folder: Path | None = None,
    replicas: int | None = None,
    report_progress: ProgressReporter = _ignore_progress,
) -> Stack:
    """Start every part that does not run, build and deploy what changed, and return the stack. Raises LocalError.

    `folder` is the folder of the stack (default: `$SLUICE_LOCAL` or `.local`), which keeps the data.
    `parameter_overrides` are template parameters that replace those of samconfig.toml. `memory_folder` is a folder in
    memory for the database servers (see DatabaseServers). `replicas` is the number of replicas from now on; without it,
    it stays as it is.
    """
    stack_folder, steps = StackFolder(folder), Steps(report_progress)
    with steps.measure("checking the resource classes"):
        check_resource_classes(report_progress)
        refresh_api_definition()
    with stack_folder.acquire_lock():
        if replicas is not None:
            set_replica_count(stack_folder.database, replicas)
        servers = DatabaseServers(stack_folder.database, memory=memory_folder)
        # Servers in memory are those of tests, which take the snapshots that they need.
        emulator = EmulatorProcess(stack_folder, has_nightly_backups=memory_folder is None)
        cache, chosen = CacheServer(stack_folder.cache, servers.ca.parent), choose_parameters(parameter_overrides or {})
        if emulator.stop_outdated():
            report_progress("restarting the emulator, whose code has changed since it started; its data stay")
        with steps.measure("starting the database servers and the emulator"), ThreadPoolExecutor() as executor:
            pair_start, emulator_start = executor.submit(servers.start), executor.submit(emulator.start)
            pair_start.result()
            if repaired := emulator_start.result():
                report_progress(repaired)
        if has_read_cache(chosen):
            with steps.measure("starting the read cache"):
                cache.start()
        parameters = resolve_parameters(chosen, emulator, servers, cache)
        if not _is_built(stack_folder, servers, parameters):
            with steps.measure("building the package"):
                build(stack_folder, servers, parameters)
        if not _is_up_to_date(stack_folder, emulator, parameters):
            with steps.measure("sam deploy"):
                _deploy(stack_folder, emulator, parameters)
        edge = EdgeProcess(stack_folder, emulator)
        edge.stop_outdated()
        with steps.measure("starting the edge"):
            edge.start()
        steps.report()
        if unenforced := edge.get_unenforced_rules():
            report_progress(f"the edge does not enforce {unenforced}")
        return Stack(stack_folder, servers, emulator, cache)


def _is_built(folder: StackFolder, servers: DatabaseServers, parameters: dict[str, str]) -> bool:
    """Whether the package of the stack is that of the sources."""
    is_current = folder.read_state().built == fingerprint_package(servers.ca, parameters)
    return is_current and (folder.build / "template.yaml").exists()


def build(folder: StackFolder, servers: DatabaseServers, parameters: dict[str, str]) -> None:
    """Build the package of a stack. The caller has the lock. Raises LocalError."""
    state = folder.read_state()
    current = fingerprint_package(servers.ca, parameters)
    make_package(folder, servers.ca, parameters)
    state.built = current
    folder.write_state(state)


def _digest_deployment(state: StackState, parameters: dict[str, str]) -> str:
    inputs = json.dumps([state.built, state.emulator_port, parameters], sort_keys=True)
    return hashlib.sha256(inputs.encode()).hexdigest()


def _is_up_to_date(folder: StackFolder, emulator: EmulatorProcess, parameters: dict[str, str]) -> bool:
    state = folder.read_state()
    is_current = state.deployed == _digest_deployment(state, parameters) and not state.is_code_replaced
    return is_current and is_deployed(emulator)


def _deploy(folder: StackFolder, emulator: EmulatorProcess, parameters: dict[str, str]) -> None:
    state = folder.read_state()
    state.outputs = deploy_stack(folder, emulator, parameters)
    if state.is_code_replaced:
        # CloudFormation leaves a function alone whose code in the template is that of the last deploy.
        replace_code(emulator, get_code_archive(folder).read_bytes())
    state.deployed, state.is_code_replaced = _digest_deployment(state, parameters), False
    folder.write_state(state)


def down(
    folder: Path | None = None, *, delete: bool = False, report_progress: ProgressReporter = _ignore_progress
) -> None:
    """Stop everything. The data stay unless `delete` is set. Raises LocalError."""
    stack_folder = StackFolder(folder)
    if not stack_folder.root.exists():
        return
    with stack_folder.acquire_lock():
        report_progress("stopping the edge and the emulator; the emulator first delivers its buffers")
        emulator = EmulatorProcess(stack_folder)
        EdgeProcess(stack_folder, emulator).stop()
        emulator.stop()
        servers = DatabaseServers(stack_folder.database)
        report_progress("stopping the read cache and the database servers")
        CacheServer(stack_folder.cache, servers.ca.parent).stop()
        servers.stop()
        if delete:
            report_progress(f"deleting the data in {stack_folder.root}")
            stack_folder.delete()
