"""Up and down: every part in its order, each only when it is needed."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from local.cache import Cache
from local.database import Pair
from local.stack.deploying import deploy, has_cache, is_deployed, parameters, settled
from local.stack.edge import Edge
from local.stack.emulator import Emulator
from local.stack.folder import Folder
from local.stack.packaging import make_package, package_fingerprint
from local.stack.stack import Stack

Say = Callable[[str], None]


def _silent(_line: str) -> None:
    pass


def up(
    folder: Path | None = None,
    *,
    chosen: dict[str, str] | None = None,
    memory: Path | None = None,
    say: Say = _silent,
) -> Stack:
    """Bring everything up that is not, and return the stack; data stay. Raises LocalError.

    `folder` is where the stack lives (default: `$SLUICE_LOCAL` or `.local`), `chosen` are template parameters that
    come before those of samconfig.toml, `memory` is the database pair's, `say` takes a line for each step that takes
    time.
    """
    home = Folder(folder)
    with home.alone():
        pair, emulator = Pair(home.database, memory=memory), Emulator(home)
        cache, wanted = Cache(home.cache, pair.ca.parent), settled(chosen or {})
        say("starting the database pair and the emulator")
        with ThreadPoolExecutor() as together:
            for part in (together.submit(pair.start), together.submit(emulator.start)):
                part.result()
        if has_cache(wanted):
            say("starting the read cache")
            cache.start()
        settings = parameters(wanted, emulator, pair, cache)
        _build(home, pair, settings, say)
        _deploy(home, emulator, settings, say)
        edge = Edge(home, emulator)
        edge.start()
        if lacking := edge.lacking():
            say(f"the edge runs without {lacking}")
        return Stack(home, pair, emulator, cache)


def _build(home: Folder, pair: Pair, settings: dict[str, str], say: Say) -> None:
    state = home.read()
    current = package_fingerprint(pair.ca, settings)
    if state.built == current and (home.build / "template.yaml").exists():
        return
    with _timed("sam build", say):
        make_package(home, pair.ca, settings)
    state.built = current
    home.write(state)


def _deploy(home: Folder, emulator: Emulator, settings: dict[str, str], say: Say) -> None:
    state = home.read()
    facts = json.dumps([state.built, state.emulator_port, settings], sort_keys=True)
    current = hashlib.sha256(facts.encode()).hexdigest()
    if state.deployed == current and is_deployed(emulator):
        return
    with _timed("sam deploy", say):
        state.outputs = deploy(home, emulator, settings)
    state.deployed = current
    home.write(state)


@contextmanager
def _timed(what: str, say: Say) -> Iterator[None]:
    began = time.monotonic()
    say(f"{what} …")
    yield
    say(f"{what} took {time.monotonic() - began:.1f} s")


def down(folder: Path | None = None, *, delete: bool = False, say: Say = _silent) -> None:
    """Stop everything. Data stay unless `delete` is set. Raises LocalError."""
    home = Folder(folder)
    if not home.root.exists():
        return
    with home.alone():
        say("stopping the edge, and the emulator, which delivers what it still holds")
        emulator = Emulator(home)
        Edge(home, emulator).stop()
        emulator.stop()
        pair = Pair(home.database)
        say("stopping the read cache and the database pair")
        Cache(home.cache, pair.ca.parent).stop()
        pair.stop()
        if delete:
            say(f"removing the data in {home.root}")
            home.delete()
