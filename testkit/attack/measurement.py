"""Send requests to a stack; measure what the edge blocks, and which SQL statements the attacks cause."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpcore

from local.stack import Stack
from testkit.attack.benign import HELD_OUT_SET, TUNING_SET
from testkit.attack.requests import JSON_TYPE, PLACEMENTS, Request, put_in_path, put_in_query
from testkit.attack.sql_log import log_statements

SENDER_THREADS = 4


@dataclass(frozen=True)
class Response:
    """`status` is None where the connection was closed without an answer; `reached` when the API answered."""

    request: Request
    status: int | None
    reached_api: bool


def send_requests(
    address: str, token: str, requests: Iterable[Request], done: Callable[[int], None] = lambda _: None
) -> list[Response]:
    """The answers in the order of the requests; `done` is told how many there are so far."""
    parts = urlsplit(address)
    answers: list[Response] = []
    with httpcore.ConnectionPool(max_connections=SENDER_THREADS) as pool, ThreadPoolExecutor(SENDER_THREADS) as workers:

        def send(request: Request) -> Response:
            given = {name.lower() for name in request.headers}
            usual = {
                "Host": parts.netloc,
                "User-Agent": "sluice-client/1.0",
                "Accept": "*/*",
                "Authorization": f"Bearer {token}",
                **({"Content-Length": str(len(request.body))} if request.body else {}),
            }
            headers = {name: value for name, value in usual.items() if name.lower() not in given} | request.headers
            target = (parts.path + request.target).encode("ascii", "replace")
            url = httpcore.URL(scheme=b"http", host=parts.hostname or "", port=parts.port, target=target)
            try:
                answer = pool.request(
                    request.method,
                    url,
                    headers=list(headers.items()),
                    content=request.body,
                    extensions={"timeout": {"read": 60.0}},
                )
            except (httpcore.NetworkError, httpcore.ProtocolError):
                return Response(request, None, reached_api=False)
            return Response(
                request, answer.status, reached_api=b"x-amzn-requestid" in {name.lower() for name, _ in answer.headers}
            )

        for answer in workers.map(send, requests):
            answers.append(answer)
            done(len(answers))
    return answers


def build_progress_printer(what: str, total: int) -> Callable[[int], None]:
    def shown(count: int) -> None:
        if count % 200 == 0 or count == total:
            print(f"  {what}: {count} of {total}", file=sys.stderr, flush=True)

    return shown


# What no attack is, and makes the service run each of its statements that the corpus's requests could.
BASELINE_REQUESTS = [
    *(place("harmless", "abc") for place in PLACEMENTS),
    put_in_query("harmless", "IS"),
    put_in_path("harmless", "EDDF"),
    Request("harmless", "GET", "/v1/airports/EDDF/writes/01M83TX6AKPEC90XWTBJRZ90MF"),
    Request("harmless", "GET", "/v1/bookings"),
    Request("harmless", "POST", "/v1/bookings", {"Content-Type": JSON_TYPE}, b"{}"),
]


LOAD_WAIT_SECONDS = 8


"""After that a batch of the local stack is in the tables, and the recovery's own statements do not matter: they are
read."""


@dataclass(frozen=True)
class Measurement:
    attacks: list[Response]
    benign: list[Response]
    new_statements: set[str]
    """Statements whose form none of the harmless requests makes."""

    @property
    def blocked_share(self) -> float:
        return sum(not answer.reached_api for answer in self.attacks) / len(self.attacks)

    @property
    def held_out(self) -> list[Response]:
        """The benign requests that no rule was chosen by."""
        return [answer for answer in self.benign if answer.request.kind == HELD_OUT_SET]

    @property
    def tuning(self) -> list[Response]:
        """The others."""
        return [answer for answer in self.benign if answer.request.kind == TUNING_SET]

    def count_by_kind(self) -> dict[str, tuple[int, int]]:
        """How many attacks of each kind there are, and how many of them were blocked."""
        every = Counter(answer.request.kind for answer in self.attacks)
        blocked = Counter(answer.request.kind for answer in self.attacks if not answer.reached_api)
        return {kind: (count, blocked[kind]) for kind, count in every.items()}


def get_passed_share(answers: Sequence[Response]) -> float:
    """The share that was let through."""
    return sum(answer.reached_api for answer in answers) / len(answers)


def measure_edge(stack: Stack, attacks: Sequence[Request], benign: Sequence[Request]) -> Measurement:
    """Send all of it through the edge, and the attacks once more straight to the emulator, to see what SQL they
    make."""
    token = stack.machine_token()
    attacked = send_requests(stack.api_url, token, attacks, build_progress_printer("attacks", len(attacks)))
    let_in = send_requests(stack.api_url, token, benign, build_progress_printer("benign", len(benign)))
    time.sleep(LOAD_WAIT_SECONDS)
    with log_statements(stack) as logs:
        # Twice: what is only run for a connection's first statement is in it too, or in neither.
        send_requests(stack.emulator_api_url, token, BASELINE_REQUESTS * 2)
        time.sleep(LOAD_WAIT_SECONDS)
        harmless = logs.read_statements()
        send_requests(
            stack.emulator_api_url, token, attacks, build_progress_printer("attacks without the edge", len(attacks))
        )
        time.sleep(LOAD_WAIT_SECONDS)
        return Measurement(attacked, let_in, logs.read_statements() - harmless)
