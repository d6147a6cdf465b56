"""Bring a local stack up and down: every part in its order, and only if necessary."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from local.cache import CacheServer
from local.database import DatabasePair
from local.stack.deployment import deploy_stack, is_deployed
from local.stack.folder import StackFolder
from local.stack.packaging import fingerprint_package, make_package
from local.stack.parameters import choose_parameters, has_read_cache, resolve_parameters
from local.stack.resource_check import check_resource_classes
from local.stack.sam import refresh_api_definition
from local.stack.services import EdgeProcess, EmulatorProcess
from local.stack.stack import Stack

ProgressReporter = Callable[[str], None]
"""Receives a line for each step that takes time."""


def _ignore_progress(_line: str) -> None:
    pass


def up(
    folder: Path | None = None,
    *,
    parameter_overrides: dict[str, str] | None = None,
    memory_folder: Path | None = None,
    report_progress: ProgressReporter = _ignore_progress,
) -> Stack:
    """Start every part that does not run, build and deploy what changed, and return the stack. Raises LocalError.

    `folder` is the folder of the stack (default: `$SLUICE_LOCAL` or `.local`), which keeps the data.
    `parameter_overrides` are template parameters that replace those of samconfig.toml. `memory_folder` is a folder in
    memory for the database pair (see DatabasePair).
    """
    stack_folder = StackFolder(folder)
    check_resource_classes(report_progress)
    refresh_api_definition()
    with stack_folder.acquire_lock():
        pair, emulator = DatabasePair(stack_folder.database, memory=memory_folder), EmulatorProcess(stack_folder)
        cache, chosen = CacheServer(stack_folder.cache, pair.ca.parent), choose_parameters(parameter_overrides or {})
        if emulator.stop_outdated():
            report_progress("restarting the emulator, whose code has changed since it started; its data stay")
        report_progress("starting the database pair and the emulator")
        with ThreadPoolExecutor() as executor:
            pair_start, emulator_start = executor.submit(pair.start), executor.submit(emulator.start)
            pair_start.result()
            if repaired := emulator_start.result():
                report_progress(repaired)
        if has_read_cache(chosen):
            report_progress("starting the read cache")
            cache.start()
        parameters = resolve_parameters(chosen, emulator, pair, cache)
        _build(stack_folder, pair, parameters, report_progress)
        _deploy(stack_folder, emulator, parameters, report_progress)
        edge = EdgeProcess(stack_folder, emulator)
        edge.stop_outdated()
        edge.start()
        if unenforced := edge.get_unenforced_rules():
            report_progress(f"the edge does not enforce {unenforced}")
        return Stack(stack_folder, pair, emulator, cache)


def _build(
    folder: StackFolder, pair: DatabasePair, parameters: dict[str, str], report_progress: ProgressReporter
) -> None:
    state = folder.read_state()
    current = fingerprint_package(pair.ca, parameters)
    if state.built == current and (folder.build / "template.yaml").exists():
        return
    with _report_duration("sam build", report_progress):
        make_package(folder, pair.ca, parameters)
    state.built = current
    folder.write_state(state)


def _deploy(
    folder: StackFolder, emulator: EmulatorProcess, parameters: dict[str, str], report_progress: ProgressReporter
) -> None:
    state = folder.read_state()
    inputs = json.dumps([state.built, state.emulator_port, parameters], sort_keys=True)
    current = hashlib.sha256(inputs.encode()).hexdigest()
    if state.deployed == current and is_deployed(emulator):
        return
    with _report_duration("sam deploy", report_progress):
        state.outputs = deploy_stack(folder, emulator, parameters)
    state.deployed = current
    folder.write_state(state)


@contextmanager
def _report_duration(step: str, report_progress: ProgressReporter) -> Iterator[None]:
    started = time.monotonic()
    report_progress(f"{step} …")
    yield
    report_progress(f"{step} took {time.monotonic() - started:.1f} s")


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
        pair = DatabasePair(stack_folder.database)
        report_progress("stopping the read cache and the database pair")
        CacheServer(stack_folder.cache, pair.ca.parent).stop()
        pair.stop()
        if delete:
            report_progress(f"deleting the data in {stack_folder.root}")
            stack_folder.delete()
