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

from sluice.aws.s3 import S3Client
from sluice.db.connection import Database
from sluice.db.errors import classify_error
from sluice.errors import InvalidInput, MigrationFailed
from sluice.model.exclusions import Exclusion
from sluice.model.resource import load_resources
from sluice.observability import Event, add_log_fields, instrument_handler
from sluice.rebuild.exclusion_store import read_stored_exclusions, store_exclusions
from sluice.rebuild.rebuild_report import build_rebuild_report, describe_failure, describe_outcome
from sluice.schema.ddl_executor import Executor, explain_error
from sluice.schema.shadow import Shadow
from sluice.schema.swap import Swap, describe_retained_schemas, drop_retained_schema
from sluice.settings import RebuildSettings, read_settings

# Below the function's own timeout.
STATEMENT_SECONDS = 840

_settings = read_settings(RebuildSettings)
_bucket = S3Client().bucket(_settings.batch_bucket)
# Entered without a schema: the statements name theirs.
_primary = Database(msgspec.structs.replace(_settings, database_name=""), statement_timeout_seconds=STATEMENT_SECONDS)


class _Step(msgspec.Struct, kw_only=True, frozen=True):
    """What a step may be given; `state` is the workflow's."""

    step: Literal["prepare", "swap", "store_exclusions", "report", "drop_shadow", "list_retained", "drop_retained"]
    state: dict[str, Any] = {}
    name: str = ""


class _State(msgspec.Struct, kw_only=True, frozen=True):
    """Of the workflow's state, what more than one step reads."""

    name: str
    mark: str
    began: datetime.datetime
    exclusions: list[Exclusion]


@instrument_handler
def handle(event: Event, _context: Any) -> Any:
    """Do the step of an event. Raises RebuildRefused and MigrationFailed with a sentence, and faults by name."""
    try:
        given = msgspec.convert(event, _Step)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The request is wrong: {error}. See events/rebuild/ for what it takes.") from None
    add_log_fields(step=given.step)
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
        executor = Executor(_primary.get_live_connection(), time.monotonic() + STATEMENT_SECONDS)
        shadow = Shadow(executor, _settings.database_name, load_resources())
        yield _Tables(executor, shadow, Swap(executor, _settings.database_name, shadow))
    except (pymysql.Error, OSError) as error:
        raise (classify_error(error) or MigrationFailed(explain_error(error, "rebuild the tables"))) from None
    finally:
        # Its locks and settings go with it.
        _primary.drop_connection()


def _state(given: _Step) -> _State:
    return msgspec.convert(given.state, _State)


def _prepare(given: _Step, tables: _Tables) -> dict[str, Any]:
    state = _state(given)
    found = tables.shadow.prepare(state.mark, [*read_stored_exclusions(_bucket), *state.exclusions])
    add_log_fields(rebuild=state.name, exclusions=len(found))
    return {"exclusions": [one.execution for one in found if one.rules]}


def _swap(given: _Step, tables: _Tables) -> dict[str, Any]:
    state, filled = _state(given), given.state["fill"]["output"]
    # Of batches that have expired the archive has the writes, but there is no ledger that would tell.
    by_ledger = filled["request"]["source"] != "archive" or filled["status"] != "complete"
    kept = tables.swap.run(state.mark, state.began if by_ledger else None, datetime.datetime.now(datetime.UTC))
    add_log_fields(rebuild=state.name, kept=kept)
    return {"retained": kept}


def _remember(_given: _Step, tables: _Tables) -> dict[str, Any]:
    store_exclusions(_bucket, tables.shadow.read_exclusions())
    return {}


def _report(given: _Step, tables: _Tables) -> dict[str, Any]:
    state = given.state
    output: dict[str, Any] = {
        **build_rebuild_report(
            state["request"],
            state["fill"]["output"],
            state["catch_up"]["output"],
            state["last"]["output"],
            tables.shadow.sum_ledger(),
        ),
        "tables": {name: tables.shadow.count_rows(name) for name in load_resources()},
        "retained": [state["swap"]["retained"]],
        "excluded": state["prepared"]["exclusions"],
        "exclusions_stored": "exclusions_not_stored" not in state,
        "seconds": round(time.time() - _state(given).began.timestamp(), 1),
        "report": {"bucket": _bucket.name, "key": f"replays/{state['name']}/report.json"},
    }
    output["summary"] = describe_outcome(output)
    _bucket.write_object(output["report"]["key"], msgspec.json.encode(output))
    add_log_fields(
        rebuild=state["name"], status=output["status"], loaded=output["loaded"], remaining=output["remaining"]
    )
    return output


def _clean(given: _Step, tables: _Tables) -> dict[str, Any]:
    tables.shadow.drop_schema()
    return {"reason": describe_failure(given.state)}


def _kept(_given: _Step, tables: _Tables) -> dict[str, Any]:
    return {"retained": describe_retained_schemas(tables.executor, _settings.database_name)}


def _drop(given: _Step, tables: _Tables) -> dict[str, Any]:
    drop_retained_schema(tables.executor, _settings.database_name, given.name)
    add_log_fields(dropped=given.name)
    return {"dropped": given.name}


_STEPS: dict[str, Callable[[_Step, _Tables], dict[str, Any]]] = {
    "prepare": _prepare,
    "swap": _swap,
    "store_exclusions": _remember,
    "report": _report,
    "drop_shadow": _clean,
    "list_retained": _kept,
    "drop_retained": _drop,
}
