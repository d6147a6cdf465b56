"""What is told of a rebuild at its end, in an alert."""

from collections.abc import Mapping
from typing import Any

import msgspec

# Their sentences are our own and quote no data; of any other error an alert says the class.
_OURS = {"CannotRebuild", "MigrationFailed", "MigrationRefused"}


class _Cause(msgspec.Struct):
    message: str = msgspec.field(name="errorMessage")


def sentence_of(output: Mapping[str, Any]) -> str:
    """What a rebuild made, kept and left out, by its output."""
    tables = ", ".join(f"{name} {found['rows']} rows" for name, found in sorted(output["tables"].items()))
    batches = (
        f"{output['loaded']} batches are loaded, {output['applied']} writes applied, {output['stale']} stale, "
        f"{output['rejected']} rejected; {output['failed']} could not be loaded, {output['quarantined']} are in "
        f"quarantine, and {output['remaining']} remain."
    )
    kept = f"The old tables are kept: {', '.join(output['kept'])}."
    told = [f"The tables were made anew and are in use: {tables}.", batches, kept]
    if output["excluded"]:
        told.append(f"Left out is what these exclude: {', '.join(output['excluded'])}.")
    if not output["written_down"]:
        told.append("What is left out could not be written down in S3: until the next rebuild only the database knows.")
    return " ".join(told)


def why(error: Mapping[str, Any]) -> str:
    """What ended a rebuild, by the `Error` and `Cause` that Step Functions gave: without its data."""
    name = str(error.get("Error", "an unknown error"))
    try:
        said = msgspec.json.decode(str(error.get("Cause", "")), type=_Cause).message if name in _OURS else ""
    except msgspec.MsgspecError:
        said = ""
    return f"{name}: {said}".rstrip(": .")
