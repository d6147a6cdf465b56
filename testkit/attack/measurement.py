"""Send requests to a stack; measure what the edge blocks, and which SQL statements the attacks cause without it."""

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
from testkit.attack.free_text import HELD_OUT_TEXTS
from testkit.attack.requests import JSON_TYPE, PLACEMENTS, Request, put_in_path, put_in_query
from testkit.attack.sql_log import log_statements

SENDER_THREADS = 4
# After this time a batch of the local stack is in the tables. The statements of a recovery do not matter: they only
# read.
LOAD_WAIT_SECONDS = 8

# Requests that are no attacks. They cause each statement that the requests of the corpus may cause.
BASELINE_REQUESTS = [
    *(put_value("harmless", "abc") for put_value in PLACEMENTS),
    put_in_query("harmless", "IS"),
    put_in_path("harmless", "EDDF"),
    Request("harmless", "GET", "/v1/airports/EDDF/writes/01M83TX6AKPEC90XWTBJRZ90MF"),
    Request("harmless", "GET", "/v1/bookings"),
    Request("harmless", "POST", "/v1/bookings", {"Content-Type": JSON_TYPE}, b"{}"),
]


@dataclass(frozen=True)
class Response:
    """`status` is None when the connection was closed without a response; `reached_api`: the API itself responded."""

    request: Request
    status: int | None
    reached_api: bool


@dataclass(frozen=True)
class Measurement:
    """The responses, and the statements of attacks whose form no baseline request causes."""

    attacks: list[Response]
    benign: list[Response]
    new_statements: set[str]

    @property
    def blocked_share(self) -> float:
        return sum(not response.reached_api for response in self.attacks) / len(self.attacks)

    @property
    def held_out(self) -> list[Response]:
        """The benign requests that no rule was chosen with."""
        return [response for response in self.benign if response.request.kind == HELD_OUT_SET]

    @property
    def tuning(self) -> list[Response]:
        """The benign requests that rules were chosen with."""
        return [response for response in self.benign if response.request.kind == TUNING_SET]

    def select_free_texts(self, content_type: str) -> list[Response]:
        """The requests with held-out free text in a body of that content type."""
        return [
            response
            for response in self.benign
            if response.request.kind == HELD_OUT_TEXTS and response.request.headers["Content-Type"] == content_type
        ]

    def count_by_kind(self) -> dict[str, tuple[int, int]]:
        """By kind of attack: how many there are, and how many of them were blocked."""
        counts = Counter(response.request.kind for response in self.attacks)
        blocked = Counter(response.request.kind for response in self.attacks if not response.reached_api)
        return {kind: (count, blocked[kind]) for kind, count in counts.items()}


def get_passed_share(responses: Sequence[Response]) -> float:
    """The share of the requests that reached the API."""
    return sum(response.reached_api for response in responses) / len(responses)


def measure_edge(stack: Stack, attacks: Sequence[Request], benign: Sequence[Request]) -> Measurement:
    """Send all requests through the edge, then the attacks directly to the emulator while the SQL is logged."""
    token = stack.machine_token()
    attack_responses = send_requests(stack.api_url, token, attacks, build_progress_printer("attacks", len(attacks)))
    benign_responses = send_requests(stack.api_url, token, benign, build_progress_printer("benign", len(benign)))
    time.sleep(LOAD_WAIT_SECONDS)
    with log_statements(stack) as logs:
        # Twice: a statement that runs only once per connection must be in both lists, or in none.
        send_requests(stack.emulator_api_url, token, BASELINE_REQUESTS * 2)
        # The heartbeat of each minute may come between the attacks.
        for _ in range(2):
            stack.aws_client("lambda").invoke(
                FunctionName=stack.outputs["HealthCheckFunctionName"], Payload=b'{"heartbeat":true}'
            )
        time.sleep(LOAD_WAIT_SECONDS)
        baseline = logs.read_statements()
        print_progress = build_progress_printer("attacks without the edge", len(attacks))
        send_requests(stack.emulator_api_url, token, attacks, print_progress)
        time.sleep(LOAD_WAIT_SECONDS)
        return Measurement(attack_responses, benign_responses, logs.read_statements() - baseline)


def send_requests(
    address: str, token: str, requests: Iterable[Request], on_progress: Callable[[int], None] = lambda _: None
) -> list[Response]:
    """Send the requests unchanged. Returns the responses in the same order; `on_progress` gets their number so far."""
    parts = urlsplit(address)
    responses: list[Response] = []
    with httpcore.ConnectionPool(max_connections=SENDER_THREADS) as pool, ThreadPoolExecutor(SENDER_THREADS) as workers:

        def send(request: Request) -> Response:
            own_names = {name.lower() for name in request.headers}
            defaults = {
                "Host": parts.netloc,
                "User-Agent": "sluice-client/1.0",
                "Accept": "*/*",
                "Authorization": f"Bearer {token}",
                **({"Content-Length": str(len(request.body))} if request.body else {}),
            }
            headers = {name: value for name, value in defaults.items() if name.lower() not in own_names}
            headers |= request.headers
            target = (parts.path + request.target).encode("ascii", "replace")
            url = httpcore.URL(scheme=b"http", host=parts.hostname or "", port=parts.port, target=target)
            try:
                response = pool.request(
                    request.method,
                    url,
                    headers=list(headers.items()),
                    content=request.body,
                    extensions={"timeout": {"read": 60.0}},
                )
            except (httpcore.NetworkError, httpcore.ProtocolError):
                return Response(request, None, reached_api=False)
            response_headers = {name.lower() for name, _ in response.headers}
            return Response(request, response.status, reached_api=b"x-amzn-requestid" in response_headers)

        for response in workers.map(send, requests):
            responses.append(response)
            on_progress(len(responses))
    return responses


def build_progress_printer(label: str, total: int) -> Callable[[int], None]:
    """A callback for `send_requests` that prints a line now and then."""

    def print_progress(count: int) -> None:
        if count % 200 == 0 or count == total:
            print(f"  {label}: {count} of {total}", file=sys.stderr, flush=True)

    return print_progress
