"""Up and down: every part in its order, each only when it is needed."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from local.cache import CacheServer
from local.database import DatabasePair
from local.stack.deployment import choose_parameters, deploy_stack, has_read_cache, is_deployed, resolve_parameters
from local.stack.edge_process import EdgeProcess
from local.stack.emulator_process import EmulatorProcess
from local.stack.folder import StackFolder
from local.stack.packaging import fingerprint_package, make_package
from local.stack.stack import Stack

ProgressReporter = Callable[[str], None]


def _silent(_line: str) -> None:
    pass


def up(
    folder: Path | None = None,
    *,
    parameter_overrides: dict[str, str] | None = None,
    memory_folder: Path | None = None,
    report_progress: ProgressReporter = _silent,
) -> Stack:
    """Bring everything up that is not, and return the stack; data stay. Raises LocalError.

    `folder` is where the stack lives (default: `$SLUICE_LOCAL` or `.local`), `chosen` are template parameters that
    come before those of samconfig.toml, `memory` is the database pair's, `say` takes a line for each step that takes
    time.
    """
    home = StackFolder(folder)
    with home.acquire_lock():
        pair, emulator = DatabasePair(home.database, memory=memory_folder), EmulatorProcess(home)
        cache, wanted = CacheServer(home.cache, pair.ca.parent), choose_parameters(parameter_overrides or {})
        report_progress("starting the database pair and the emulator")
        with ThreadPoolExecutor() as together:
            for part in (together.submit(pair.start), together.submit(emulator.start)):
                part.result()
        if has_read_cache(wanted):
            report_progress("starting the read cache")
            cache.start()
        settings = resolve_parameters(wanted, emulator, pair, cache)
        _build(home, pair, settings, report_progress)
        _deploy(home, emulator, settings, report_progress)
        edge = EdgeProcess(home, emulator)
        edge.start()
        if lacking := edge.get_unenforced_rules():
            report_progress(f"the edge runs without {lacking}")
        return Stack(home, pair, emulator, cache)


def _build(home: StackFolder, pair: DatabasePair, settings: dict[str, str], say: ProgressReporter) -> None:
    state = home.read_state()
    current = fingerprint_package(pair.ca, settings)
    if state.built == current and (home.build / "template.yaml").exists():
        return
    with _timed("sam build", say):
        make_package(home, pair.ca, settings)
    state.built = current
    home.write_state(state)


def _deploy(home: StackFolder, emulator: EmulatorProcess, settings: dict[str, str], say: ProgressReporter) -> None:
    state = home.read_state()
    facts = json.dumps([state.built, state.emulator_port, settings], sort_keys=True)
    current = hashlib.sha256(facts.encode()).hexdigest()
    if state.deployed == current and is_deployed(emulator):
        return
    with _timed("sam deploy", say):
        state.outputs = deploy_stack(home, emulator, settings)
    state.deployed = current
    home.write_state(state)


@contextmanager
def _timed(what: str, say: ProgressReporter) -> Iterator[None]:
    began = time.monotonic()
    say(f"{what} …")
    yield
    say(f"{what} took {time.monotonic() - began:.1f} s")


def down(folder: Path | None = None, *, delete: bool = False, report_progress: ProgressReporter = _silent) -> None:
    """Stop everything. Data stay unless `delete` is set. Raises LocalError."""
    home = StackFolder(folder)
    if not home.root.exists():
        return
    with home.acquire_lock():
        report_progress("stopping the edge, and the emulator, which delivers what it still holds")
        emulator = EmulatorProcess(home)
        EdgeProcess(home, emulator).stop()
        emulator.stop()
        pair = DatabasePair(home.database)
        report_progress("stopping the read cache and the database pair")
        CacheServer(home.cache, pair.ca.parent).stop()
        pair.stop()
        if delete:
            report_progress(f"removing the data in {home.root}")
            home.delete()
