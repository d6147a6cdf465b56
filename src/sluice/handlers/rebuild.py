"""Steps of `rebuild` that change tables, as the admin: `{"step", …}` in.

And for operators: `kept` lists the tables that rebuilds kept, `drop` drops those of a `name`.
"""

import datetime
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import pymysql

from sluice import archive
from sluice.database import Database
from sluice.exclusions import Exclusion
from sluice.faults import meaning
from sluice.inputs import InvalidInput
from sluice.migrating import kept as kept_tables
from sluice.migrating.counting import rows, sums
from sluice.migrating.execution import Executor
from sluice.migrating.failures import MigrationFailed, sentence
from sluice.migrating.shadow import Shadow
from sluice.migrating.swapping import Swap
from sluice.observability import Event, note, observed
from sluice.rebuilding.remembered import remember, remembered
from sluice.rebuilding.results import report
from sluice.rebuilding.telling import sentence_of, why
from sluice.registry import resources
from sluice.settings import RebuildSettings, read

# Below the function's own timeout.
STATEMENT_SECONDS = 840

_settings = read(RebuildSettings)
# Entered without a schema: the statements name theirs.
_primary = Database(msgspec.structs.replace(_settings, database_name=""), statement_seconds=STATEMENT_SECONDS)


class _Step(msgspec.Struct, kw_only=True, frozen=True):
    """What a step may be given; `state` is the workflow's."""

    step: Literal["prepare", "swap", "remember", "report", "clean", "kept", "drop"]
    state: dict[str, Any] = {}
    name: str = ""


class _State(msgspec.Struct, kw_only=True, frozen=True):
    """Of the workflow's state, what more than one step reads."""

    name: str
    mark: str
    began: datetime.datetime
    exclusions: list[Exclusion]


@observed
def handle(event: Event, _context: Any) -> Any:
    """Do the step of an event. Raises CannotRebuild and MigrationFailed with a sentence, and faults by name."""
    try:
        given = msgspec.convert(event, _Step)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The request is wrong: {error}. See events/rebuild/ for what it takes.") from None
    note(step=given.step)
    with _opened() as tables:
        return _STEPS[given.step](given, tables)


@dataclass(frozen=True)
class _Tables:
    executor: Executor
    shadow: Shadow
    swap: Swap


@contextmanager
def _opened() -> Iterator[_Tables]:
    try:
        executor = Executor(_primary.live_connection(), time.monotonic() + STATEMENT_SECONDS)
        shadow = Shadow(executor, _settings.database_name, resources())
        yield _Tables(executor, shadow, Swap(executor, _settings.database_name, shadow))
    except (pymysql.Error, OSError) as error:
        raise (meaning(error) or MigrationFailed(sentence(error, "rebuild the tables"))) from None
    finally:
        # Its locks and settings go with it.
        _primary.drop()


def _state(given: _Step) -> _State:
    return msgspec.convert(given.state, _State)


def _prepare(given: _Step, tables: _Tables) -> dict[str, Any]:
    state = _state(given)
    found = tables.shadow.prepare(state.mark, [*remembered(_settings.batch_bucket), *state.exclusions])
    note(rebuild=state.name, exclusions=len(found))
    return {"exclusions": [one.execution for one in found if one.rules]}


def _swap(given: _Step, tables: _Tables) -> dict[str, Any]:
    state, filled = _state(given), given.state["fill"]["output"]
    # Of batches that have expired the archive has the writes, but there is no ledger that would tell.
    by_ledger = filled["request"]["source"] != "archive" or filled["status"] != "complete"
    kept = tables.swap.run(state.mark, state.began if by_ledger else None, datetime.datetime.now(datetime.UTC))
    note(rebuild=state.name, kept=kept)
    return {"kept": kept}


def _remember(_given: _Step, tables: _Tables) -> dict[str, Any]:
    remember(_settings.batch_bucket, tables.shadow.exclusions())
    return {}


def _report(given: _Step, tables: _Tables) -> dict[str, Any]:
    state = given.state
    output: dict[str, Any] = {
        **report(
            state["request"],
            state["fill"]["output"],
            state["catch_up"]["output"],
            state["last"]["output"],
            sums(tables.executor, tables.shadow.live("loaded_batches")),
        ),
        "tables": {name: rows(tables.executor, tables.shadow.live(name)) for name in resources()},
        "kept": [state["swap"]["kept"]],
        "excluded": state["prepared"]["exclusions"],
        "written_down": "not_remembered" not in state,
        "seconds": round(time.time() - _state(given).began.timestamp(), 1),
        "report": {"bucket": _settings.batch_bucket, "key": f"replays/{state['name']}/report.json"},
    }
    output["sentence"] = sentence_of(output)
    archive.write(_settings.batch_bucket, output["report"]["key"], msgspec.json.encode(output))
    note(rebuild=state["name"], status=output["status"], loaded=output["loaded"], remaining=output["remaining"])
    return output


def _clean(given: _Step, tables: _Tables) -> dict[str, Any]:
    tables.shadow.clean()
    return {"why": why(given.state)}


def _kept(_given: _Step, tables: _Tables) -> dict[str, Any]:
    return {"kept": kept_tables.listed(tables.executor, tables.swap)}


def _drop(given: _Step, tables: _Tables) -> dict[str, Any]:
    kept_tables.drop(tables.executor, tables.swap, given.name)
    note(dropped=given.name)
    return {"dropped": given.name}


_STEPS: dict[str, Callable[[_Step, _Tables], dict[str, Any]]] = {
    "prepare": _prepare,
    "swap": _swap,
    "remember": _remember,
    "report": _report,
    "clean": _clean,
    "kept": _kept,
    "drop": _drop,
}
