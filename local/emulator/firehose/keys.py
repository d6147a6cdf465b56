"""The key of an object that Firehose writes: evaluated prefix, stream, version, time, UUID, extension."""

import re
import secrets
import string
import uuid
from datetime import UTC, datetime

from local.emulator.firehose.limits import RefusedError

_EXPRESSION = re.compile(r"!\{([^:}]*):([^}]*)\}")
_JAVA = re.compile(r"yyyy|MM|dd|HH|mm|ss|'[^']*'|[^A-Za-z']+")
_STRFTIME = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_DEFAULT_TIME = "yyyy/MM/dd/HH/"
_ERROR = "!{firehose:error-output-type}"


def check(prefix: str, error_prefix: str) -> None:
    """Raises RefusedError where AWS would not take the two prefixes together, or where a pattern is not emulated."""
    for text in (prefix, error_prefix):
        for namespace, value in _EXPRESSION.findall(text):
            if namespace == "timestamp":
                _time(value, datetime.now(UTC))
            elif (namespace, value) not in (("firehose", "random-string"), ("firehose", "error-output-type")):
                raise _invalid(f"the expression !{{{namespace}:{value}}} is not known")
    if _ERROR in prefix:
        raise _invalid(f"Prefix cannot contain {_ERROR}")
    if _EXPRESSION.search(prefix) and not error_prefix:
        raise _invalid("ErrorOutputPrefix cannot be empty when Prefix contains expressions")
    if _EXPRESSION.search(error_prefix) and _ERROR not in error_prefix:
        raise _invalid(f"ErrorOutputPrefix must contain {_ERROR}")


def error_prefix_of(prefix: str, error_prefix: str) -> str:
    """The error prefix in effect: the one that was given, or the data's with the kind of error behind it."""
    return error_prefix or f"{prefix}{_ERROR}/"


def object_key(prefix: str, stream: str, moment: datetime, error: str = "") -> str:
    """The key of an object, without extension. `stream` is the stream's name and version, `moment` when the oldest
    record in it arrived, `error` the error-output-type that an error prefix may name."""
    return f"{_evaluated(prefix, moment, error)}{stream}-{moment:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}"


def _evaluated(template: str, moment: datetime, error: str) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] == "timestamp":
            return _time(match[2], moment)
        return error if match[2] == "error-output-type" else _random_string()

    evaluated = _EXPRESSION.sub(value, template)
    return evaluated if "!{timestamp:" in template else evaluated + _time(_DEFAULT_TIME, moment)


def _time(pattern: str, moment: datetime) -> str:
    parts = _JAVA.findall(pattern)
    if "".join(parts) != pattern:
        raise _invalid(f"the local stack knows yyyy, MM, dd, HH, mm and ss in a timestamp, not {pattern!r}")
    return "".join(
        moment.strftime(_STRFTIME[part]) if part in _STRFTIME else part.strip("'") or part.replace("''", "'")
        for part in parts
    )


def _random_string() -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(11))


def _invalid(message: str) -> RefusedError:
    return RefusedError("InvalidArgumentException", message)
