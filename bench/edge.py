"""`make bench`: the processor time that the local edge takes for a request.

The edge enforces the distribution and web ACLs of the template; a stub responds in place of the API. Each request
differs from those before, except in one case. With `--against FOLDER`, the edge of another checkout takes turns.
"""

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import airportsdata

from bench import create_folder
from bench.results import is_short, save_results
from testkit.edge_template import build_edge_template
from testkit.emulator_harness import ROOT, deploy_stack, free_port, start_emulator
from testkit.loopback_server import serve_on_loopback

STACK = "edge-bench"
TURNS, SHORT_TURNS, SHORT_COUNT = 16, 1, 5  # the first turn, with the first use of each rule, does not count
LIST_ITEMS, LINES = 100, 100
START_SECONDS = 30
AIRPORTS = [dict(airport) for airport in airportsdata.load().values()]
ITEM = json.dumps(AIRPORTS[0]).encode()
CLIENT_HEADERS = {
    "User-Agent": "sluice-client/1.0",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "Authorization": f"Bearer {'eyJraWQiOiJ0ZXN0In0' * 50}",  # as long as a token
}


@dataclass(frozen=True)
class Case:
    """Requests to which the API gives the same response. `requests` are paths with bodies, sent in turns."""

    method: str
    requests: list[tuple[str, bytes]]
    count: int
    status: int
    response: bytes
    media_type: str = ""


CASES = {
    "get item": Case("GET", [(f"/v1/airports/{airport['icao']}", b"") for airport in AIRPORTS], 100, 200, ITEM),
    "get item again": Case("GET", [("/v1/airports/EDDF", b"")], 100, 200, ITEM),
    "get list": Case(
        "GET",
        [
            (f"/v1/airports?country=DE&elevation.gte={number}&sort=-elevation&limit={LIST_ITEMS}", b"")
            for number in range(5_000)
        ],
        100,
        200,
        json.dumps({"items": AIRPORTS[:LIST_ITEMS]}).encode(),
    ),
    "put": Case(
        "PUT",
        [(f"/v1/airports/{airport['icao']}", json.dumps(airport).encode()) for airport in AIRPORTS],
        100,
        202,
        b'{"version":"01M83TX6AKPEC90XWTBJRZ90MF"}',
        "application/json",
    ),
    f"post of {LINES} lines": Case(
        "POST",
        [
            ("/v1/airports", b"\n".join(json.dumps(airport).encode() for airport in AIRPORTS[start : start + LINES]))
            for start in range(0, len(AIRPORTS), LINES)
        ],
        12,
        202,
        json.dumps({"accepted": LINES}).encode(),
        "application/x-ndjson",
    ),
}


@contextmanager
def serve_stub(emulator_port: int) -> Iterator[str]:
    """Serve the API's responses to the cases, and everything else from the emulator. Yields the URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("?")[0]
            if path.startswith("/_aws/execute-api/"):
                case = _find_case(self.command, path)
                headers = {"Content-Type": "application/json", "ETag": '"1"', "x-amzn-requestid": "1"}
                self.send(case.status, {**headers, "Cache-Control": "public, max-age=0"}, case.response)
            else:
                connection = http.client.HTTPConnection("127.0.0.1", emulator_port, timeout=20)
                connection.request(self.command, self.path, body, dict(self.headers))
                response = connection.getresponse()
                dropped = {"connection", "content-length", "date", "server", "transfer-encoding"}
                headers = {name: value for name, value in response.getheaders() if name.lower() not in dropped}
                self.send(response.status, headers, response.read())
                connection.close()

        do_GET = do_PUT = do_POST = respond  # noqa: N815  the names that the base class calls

        def send(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the base class
            """Log nothing."""

    with serve_on_loopback(Handler) as url:
        yield url


def _find_case(method: str, path: str) -> Case:
    """The case whose response a request gets."""
    if method == "GET":
        return CASES["get list" if path.endswith("/airports") else "get item"]
    return next(case for case in CASES.values() if case.method == method)


class EdgeProcess:
    """The edge of a checkout, with one connection of a client."""

    def __init__(self, checkout: Path, origin_url: str, log: Path) -> None:
        port, stage_port = free_port(), free_port()
        options = ["--emulator", origin_url, "--stack", STACK, "--port", str(port), "--stage-port", str(stage_port)]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local.edge", *options],
                cwd=checkout,
                env={"PYTHONPATH": "src:."},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._wait_until_ready(stage_port, log)

    def _wait_until_ready(self, stage_port: int, log: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                control = http.client.HTTPConnection("127.0.0.1", stage_port, timeout=30)
                control.request("POST", "/_edge/read")
                status = control.getresponse().status
                control.close()
            except OSError:
                status = 0
            if status == 200:
                return
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"the edge did not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)

    def measure_milliseconds(self, case: Case, first: int, count: int) -> float:
        """Milliseconds of processor time that each of `count` requests takes of the edge, from the `first` on."""
        headers = {**CLIENT_HEADERS, **({"Content-Type": case.media_type} if case.media_type else {})}
        started = self._read_cpu_seconds()
        for number in range(first, first + count):
            path, body = case.requests[number % len(case.requests)]
            self._client.request(case.method, path, body or None, headers)
            response = self._client.getresponse()
            content = response.read()
            if (response.status, content) != (case.status, case.response):
                raise RuntimeError(f"{case.method} {path} got {response.status}: {content[:300]!r}")
        return (self._read_cpu_seconds() - started) / count * 1000

    def _read_cpu_seconds(self) -> float:
        # Linux numbers the CPU clock of a process like this: clock_getcpuclockid(3).
        return time.clock_gettime((~self._process.pid << 3) | 2)

    def stop(self) -> None:
        self._client.close()
        self._process.terminate()
        self._process.wait(20)


def measure_checkouts(checkouts: Mapping[str, Path]) -> dict[str, dict[str, float]]:
    """Milliseconds of processor time for each request, by case and checkout: medians of turns."""
    with ExitStack() as cleanup:
        folder = cleanup.enter_context(create_folder())
        emulator = start_emulator(folder)
        cleanup.callback(emulator.stop)
        deploy_stack(emulator, STACK, build_edge_template(folder / "outage", EdgeRateLimit="2000000000"))
        origin_url = cleanup.enter_context(serve_stub(emulator.port))
        edges = {}
        for name, checkout in checkouts.items():
            edges[name] = EdgeProcess(checkout, origin_url, folder / f"{name}.log")
            cleanup.callback(edges[name].stop)
        figures: dict[str, dict[str, float]] = {}
        for case_name, case in CASES.items():
            times: dict[str, list[float]] = {name: [] for name in edges}
            count = SHORT_COUNT if is_short() else case.count
            for turn in range(SHORT_TURNS if is_short() else TURNS):
                for name, edge in edges.items():
                    times[name].append(edge.measure_milliseconds(case, turn * count, count))
            figures[case_name] = {
                name: round(statistics.median(values[1:] or values), 2) for name, values in times.items()
            }
        return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.edge", description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout, whose edge takes turns with this one's")
    other: Path | None = parser.parse_args().against
    checkouts = {"this": ROOT, **({"other": other.resolve()} if other else {})}
    figures: dict[str, Any] = measure_checkouts(checkouts)
    for case, milliseconds in figures.items():
        ratio = f", {milliseconds['this'] / milliseconds['other']:.2f} of the other" if other else ""
        times = ", ".join(f"{name} {value:.2f} ms" for name, value in milliseconds.items())
        print(f"{case:>18}: {times} of processor time a request{ratio}")
    if not other:
        save_results("edge_cpu", {case: milliseconds["this"] for case, milliseconds in figures.items()})


if __name__ == "__main__":
    main()
