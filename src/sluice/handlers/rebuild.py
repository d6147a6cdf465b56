"""The steps of `rebuild` that change tables, with the admin's account: `{"step", "state"}`.

For operators, `{"step": "list_retained"}` lists the schemas that rebuilds retained, and `{"step": "drop_retained",
"name"}` drops one of them.
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
from sluice.model.canary_item import load_served_resources
from sluice.model.exclusions import Exclusion
from sluice.observability import Event, add_log_fields, instrument_handler
from sluice.rebuild.rebuild_report import build_rebuild_report, describe_failure, describe_outcome
from sluice.rebuild.rebuild_request import read_stored_exclusions, store_exclusions
from sluice.schema.ddl_executor import Executor, explain_error
from sluice.schema.shadow import Shadow
from sluice.schema.swap import Swap, describe_retained_schemas, drop_retained_schema
from sluice.settings import RebuildSettings, read_settings

# Less than the function's own timeout.
STATEMENT_TIMEOUT_SECONDS = 840

_settings = read_settings(RebuildSettings)
_batches = S3Client().bucket(_settings.batch_bucket)
# Connected without a schema: the statements name theirs.
_primary = Database(
    msgspec.structs.replace(_settings, database_name=""), statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS
)


class _Step(msgspec.Struct, kw_only=True, frozen=True):
    """The event. `state` is the workflow's state, `name` a retained schema."""

    step: Literal["prepare", "swap", "store_exclusions", "report", "drop_shadow", "list_retained", "drop_retained"]
    state: dict[str, Any] = {}
    name: str = ""


class _State(msgspec.Struct, kw_only=True, frozen=True):
    """The part of the workflow's state that several steps read."""

    name: str
    mark: str
    began: datetime.datetime
    exclusions: list[Exclusion]


@dataclass(frozen=True)
class _Tables:
    executor: Executor
    shadow: Shadow
    swap: Swap


@instrument_handler
def handle(event: Event, _context: Any) -> Any:
    """Run the step of an event.

    Raises RebuildRefused and MigrationFailed with a sentence, and the database errors of `sluice.errors`.
    """
    try:
        step = msgspec.convert(event, _Step)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"The request is invalid: {error}. See events/rebuild/ for examples.") from None
    add_log_fields(step=step.step)
    with _open_tables() as tables:
        return _STEPS[step.step](step, tables)


@contextmanager
def _open_tables() -> Iterator[_Tables]:
    try:
        executor = Executor(_primary.get_live_connection(), time.monotonic() + STATEMENT_TIMEOUT_SECONDS)
        shadow = Shadow(executor, _settings.database_name, load_served_resources())
        yield _Tables(executor, shadow, Swap(executor, _settings.database_name, shadow))
    except (pymysql.Error, OSError) as error:
        raise (classify_error(error) or MigrationFailed(explain_error(error, "rebuild the tables"))) from None
    finally:
        # The connection's locks and session settings end with it.
        _primary.drop_connection()


def _read_state(step: _Step) -> _State:
    return msgspec.convert(step.state, _State)


def _prepare(step: _Step, tables: _Tables) -> dict[str, Any]:
    state = _read_state(step)
    stored = read_stored_exclusions(_batches)
    active = tables.shadow.prepare(state.mark, [*stored, *state.exclusions])
    add_log_fields(rebuild=state.name, exclusions=len(active))
    return {"exclusions": [exclusion.execution for exclusion in active if exclusion.rules]}


def _swap(step: _Step, tables: _Tables) -> dict[str, Any]:
    state, fill = _read_state(step), step.state["fill"]["output"]
    # After a complete rebuild from the archive the ledgers cannot be compared: the archive also has the writes of
    # batches that have expired, but the new ledger has no entry for these batches.
    compares_ledgers = fill["request"]["source"] != "archive" or fill["status"] != "complete"
    now = datetime.datetime.now(datetime.UTC)
    retained = tables.swap.run(state.mark, state.began if compares_ledgers else None, now)
    add_log_fields(rebuild=state.name, retained=retained)
    return {"retained": retained}


def _store_exclusions(_step: _Step, tables: _Tables) -> dict[str, Any]:
    store_exclusions(_batches, tables.shadow.read_exclusions())
    return {}


def _report(step: _Step, tables: _Tables) -> dict[str, Any]:
    state = step.state
    output: dict[str, Any] = {
        **build_rebuild_report(
            state["request"],
            state["fill"]["output"],
            state["catch_up"]["output"],
            state["last"]["output"],
            tables.shadow.sum_ledger(),
        ),
        "tables": {name: tables.shadow.count_rows(name) for name in load_served_resources()},
        "retained": [state["swap"]["retained"]],
        "excluded": state["prepared"]["exclusions"],
        "exclusions_stored": "exclusions_not_stored" not in state,
        "seconds": round(time.time() - _read_state(step).began.timestamp(), 1),
        "report": {"bucket": _batches.name, "key": f"replays/{state['name']}/report.json"},
    }
    output["summary"] = describe_outcome(output)
    _batches.write_object(output["report"]["key"], msgspec.json.encode(output))
    add_log_fields(
        rebuild=state["name"], status=output["status"], loaded=output["loaded"], remaining=output["remaining"]
    )
    return output


def _drop_shadow(step: _Step, tables: _Tables) -> dict[str, Any]:
    tables.shadow.drop_schema()
    return {"reason": describe_failure(step.state)}


def _list_retained(_step: _Step, tables: _Tables) -> dict[str, Any]:
    return {"retained": describe_retained_schemas(tables.executor, _settings.database_name)}


def _drop_retained(step: _Step, tables: _Tables) -> dict[str, Any]:
    drop_retained_schema(tables.executor, _settings.database_name, step.name)
    add_log_fields(dropped=step.name)
    return {"dropped": step.name}


_STEPS: dict[str, Callable[[_Step, _Tables], dict[str, Any]]] = {
    "prepare": _prepare,
    "swap": _swap,
    "store_exclusions": _store_exclusions,
    "report": _report,
    "drop_shadow": _drop_shadow,
    "list_retained": _list_retained,
    "drop_retained": _drop_retained,
}
