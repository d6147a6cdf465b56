"""Sends requests as they stand, and tells whether an answer came from the API or from before it."""

import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpcore

from bench.attack.sent import Sent

WORKERS = 4


@dataclass(frozen=True)
class Answer:
    """`status` is None where the connection was closed without an answer; `reached` when the API answered."""

    sent: Sent
    status: int | None
    reached: bool


def send_all(
    address: str, token: str, requests: Iterable[Sent], done: Callable[[int], None] = lambda _: None
) -> list[Answer]:
    """The answers in the order of the requests; `done` is told how many there are so far."""
    parts = urlsplit(address)
    answers: list[Answer] = []
    with httpcore.ConnectionPool(max_connections=WORKERS) as pool, ThreadPoolExecutor(WORKERS) as workers:

        def send(request: Sent) -> Answer:
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
                return Answer(request, None, reached=False)
            return Answer(
                request, answer.status, reached=b"x-amzn-requestid" in {name.lower() for name, _ in answer.headers}
            )

        for answer in workers.map(send, requests):
            answers.append(answer)
            done(len(answers))
    return answers


def progress(what: str, total: int) -> Callable[[int], None]:
    def shown(count: int) -> None:
        if count % 200 == 0 or count == total:
            print(f"  {what}: {count} of {total}", file=sys.stderr, flush=True)

    return shown
