"""From the words of a command line to an exit code."""

from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from ops.command import parser
from ops.outcome import INTERRUPTED, MISTAKE, REMAINS, Failure, Interrupted, Mistake, Outcome
from ops.refusals import refusal
from ops.saying import complain, plain, say
from ops.stack import Stack
from ops.target import choose


def main(words: Sequence[str] | None = None) -> int:
    """Do what the words say (default: the command line's); print the outcome, and return the exit code."""
    try:
        arguments = parser().parse_args(words)
        stack = Stack(choose(arguments.stack_name, arguments.region, arguments.profile))
        outcome: Outcome = arguments.run(stack, arguments)
        say(outcome, as_json=arguments.json)
    except Mistake as mistake:
        return _said(str(mistake), MISTAKE)
    except Failure as failure:
        return _said(str(failure), REMAINS)
    except Interrupted as interrupted:
        return _said(str(interrupted), INTERRUPTED)
    except KeyboardInterrupt:
        return _said("Interrupted.", INTERRUPTED)
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        sentence, mistaken = refusal(error)
        return _said(sentence, MISTAKE if mistaken else REMAINS)
    return outcome.code


def _said(sentence: str, code: int) -> int:
    complain(f"sluice: {plain(' '.join(sentence.split()))}")
    return code
