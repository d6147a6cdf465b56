"""`sluice import` sends every row once, whatever breaks in between; `sluice export` writes all items or no file."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ops.commands import export, import_
from ops.data import collection as collection_module
from ops.data import upload
from ops.data.collection import CollectionClient, CollectionContract, TokenSource, read_contract
from ops.data.export_run import run_export
from ops.data.import_run import ImportFiles, ImportOptions, run_import
from ops.errors import CommandError, OperationError, UsageError, WaitInterrupted
from ops.service import Service

Decide = Callable[["StubCollection", int, dict[str, Any]], "tuple[int, str] | None"]

PROPERTIES = {
    "code": {"type": "string", "maxLength": 8},
    "stars": {"type": "integer"},
    "rate": {"anyOf": [{"type": "string", "pattern": "^x$"}, {"type": "number"}]},
    "open": {"anyOf": [{"type": "boolean"}, {"type": "null"}], "default": None},
    "note": {"type": "string", "default": ""},
    "tags": {"type": "array", "items": {}, "default": []},
}
SCHEMA = {"type": "object", "properties": PROPERTIES, "required": ["code", "stars", "rate"]}
CONTRACT = {
    "tags": [{"name": "huts", "x-private": False, "x-key": "code"}],
    "paths": {
        "/v1/huts": {
            "post": {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Hut"}}}}}
        }
    },
    "components": {"schemas": {"Hut": SCHEMA}},
}


class StubCollection(ThreadingHTTPServer):
    """Takes lines as the service does, and remembers them by key and line. `faults` are answers to give first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.items: dict[tuple[str, int], dict[str, Any]] = {}
        self.received = 0
        self.requests = 0
        self.tokens: list[str] = []
        self.faults: list[tuple[int, dict[str, str]]] = []
        self.refuse_line: Callable[[dict[str, Any]], int] = lambda _item: 202
        self.forbidden = b"\0"
        self.refusal: dict[str, str] = {"message": "Forbidden"}
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: StubCollection
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/v1/openapi.json":
            self.respond(200, CONTRACT)
            return
        if self.fail():
            return
        after = int(self.path.partition("after=")[2] or 0)
        items = [
            {"id": str(at), "version": "v", "data": {"code": f"é{at}"}} for at in range(after, min(after + 500, 1200))
        ]
        more = {"next": str(after + 500)} if after + 500 < 1200 else {}
        self.respond(200, {"items": items, **more})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.fail():
            return
        if self.server.forbidden in body:
            self.respond(403, self.server.refusal)
            return
        key, results = self.headers["idempotency-key"], []
        for number, line in enumerate(body.split(b"\n"), 1):
            if not line:
                continue
            item = json.loads(line)
            with self.server.lock:
                status = self.server.refuse_line(item)
                self.server.received += 1
                if status == 202:
                    self.server.items[key, number] = item
            results.append({"line": number, "status": status, "detail": f"no {status}"})
        accepted = sum(result["status"] == 202 for result in results)
        status = 202 if accepted == len(results) else 207 if accepted else 422
        self.respond(status, {"accepted": accepted, "lines": results})

    def fail(self) -> bool:
        with self.server.lock:
            self.server.requests += 1
            self.server.tokens.append(self.headers["authorization"].removeprefix("Bearer "))
            fault = self.server.faults.pop(0) if self.server.faults else None
        if fault:
            self.respond(fault[0], {"detail": f"fault {fault[0]}"}, fault[1])
        return fault is not None

    def respond(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def huts() -> Iterator[StubCollection]:
    server = StubCollection()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Ten lines a request, and waits that take no time; returns the waits."""
    waits: list[float] = []
    monkeypatch.setattr(upload, "CHUNK_LINES", 10)
    monkeypatch.setattr(collection_module, "FIRST_DELAY_SECONDS", 0.001)
    wait = threading.Event.wait

    def wait_shortly(event: threading.Event, timeout: float | None = None) -> bool:
        waits.append(timeout or 0)
        return wait(event, min(timeout or 0, 0.01)) if timeout else wait(event, timeout)

    monkeypatch.setattr(threading.Event, "wait", wait_shortly)
    return waits


class Tokens(TokenSource):
    """Tokens t0, t1, …"""

    def __init__(self) -> None:
        self.number = 0

    def get_token(self) -> str:
        return f"t{self.number}"

    def renew_token(self, refused: str) -> None:
        if refused == f"t{self.number}":
            self.number += 1


def connect(huts: StubCollection, tokens: TokenSource | None = None) -> tuple[CollectionClient, CollectionContract]:
    service = Service(huts.url)
    return CollectionClient(service, "huts", tokens or Tokens()), read_contract(service, "huts")


def show_nothing(_done: int, _total: int | None, _detail: str) -> None:
    pass


def run(huts: StubCollection, path: Path, *, concurrency: int = 4, restart: bool = False) -> Any:
    options = ImportOptions("huts", concurrency=concurrency, restart=restart)
    return run_import(*connect(huts), ImportFiles(path), options, show_nothing)


def write_csv(path: Path, count: int) -> Path:
    rows = "".join(f"c{number},{number},{number}.50,,\n" for number in range(count))
    path.write_text(f"Code,stars,rate,open,note\n{rows}")
    return path


def read_rejected(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.with_name(f"{path.name}.rejected.jsonl").read_text().splitlines()]


def test_cells_become_what_the_contract_says(huts: StubCollection, tmp_path: Path) -> None:
    path = tmp_path / "huts.csv"
    path.write_text('Code,stars,rate,open,note,tags\na,3,1.50,TRUE,"x\ny","[1, 2]"\nNA,-1,1e2,NA,,\n')
    state = run(huts, path)
    assert (state.rows, state.rejected) == (2, 0)
    assert list(huts.items.values()) == [
        {"code": "a", "stars": 3, "rate": "1.50", "open": True, "note": "x\ny", "tags": [1, 2]},
        {"code": "NA", "stars": -1, "rate": "100"},
    ]
    assert [entry.name for entry in tmp_path.iterdir()] == ["huts.csv"]


def test_json_lines_go_as_they_are(huts: StubCollection, tmp_path: Path) -> None:
    path = tmp_path / "huts.jsonl"
    path.write_text(
        '{"Code": 7, "stars": 1, "rate": 2.5, "open": null}\n\n{"code": "b", "stars": 2, "rate": 1, "No-Field": 1}\n'
    )
    run(huts, path)
    assert list(huts.items.values()) == [
        {"code": "7", "stars": 1, "rate": 2.5, "open": None},
        {"code": "b", "stars": 2, "rate": 1, "no_field": 1},
    ]


def test_many_rows_arrive_once_each(huts: StubCollection, tmp_path: Path) -> None:
    state = run(huts, write_csv(tmp_path / "huts.csv", 1234), concurrency=8)
    assert (state.rows, state.rejected) == (1234, 0)
    assert sorted(item["stars"] for item in huts.items.values()) == list(range(1234))
    assert huts.received == 1234
    assert huts.requests == 124


def test_rejected_rows_are_in_a_file_with_their_reasons(huts: StubCollection, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "huts.csv", 25)
    path.write_text(path.read_text() + "d,x,1,,\ne,1\nf,,1,,\n")
    huts.refuse_line = lambda item: 422 if item["stars"] in {3, 17} else 202
    state = run(huts, path)
    assert (state.rows, state.rejected) == (28, 5)
    rejected = read_rejected(path)
    assert [(entry["row"], entry["line"]) for entry in rejected] == [(4, 5), (18, 19), (26, 27), (27, 28), (28, 29)]
    assert rejected[0]["reasons"] == [{"detail": "no 422"}]
    assert rejected[0]["values"]["Code"] == "c3"
    assert rejected[2]["reasons"] == [{"field": "stars", "detail": "Expected a whole number, not 'x'"}]
    assert rejected[3]["reasons"] == [{"detail": "the row has 2 cells, and the header 5"}]
    assert rejected[4]["reasons"] == [{"field": "stars", "detail": "A value is missing"}]


def test_busy_answers_are_repeated_with_longer_waits(
    huts: StubCollection, tmp_path: Path, small_chunks: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection_module, "FIRST_DELAY_SECONDS", 1.0)
    small_chunks.clear()
    huts.faults = [
        (429, {"retry-after": "7"}),
        (503, {}),
        (500, {}),
        (504, {}),
        (503, {}),
        (503, {}),
        (503, {"retry-after": "900"}),
    ]
    run(huts, write_csv(tmp_path / "huts.csv", 5), concurrency=1)
    waits = [seconds for seconds in small_chunks if seconds >= 0.5]
    assert waits[0] == 7
    assert 1 <= waits[1] <= 2
    assert 8 <= waits[4] <= 16
    assert max(waits) == 30
    assert len(huts.items) == 5


def test_a_service_that_stays_busy_is_one_sentence_and_the_import_goes_on_later(
    huts: StubCollection, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "huts.csv", 45)
    huts.faults = [(503, {})] * 10
    with pytest.raises(OperationError, match=r"answers 503 .* at each attempt") as caught:
        run(huts, path, concurrency=1)
    assert "same command" in caught.value.hint
    assert run(huts, path).rows == 45
    assert len(huts.items) == 45


def test_lines_that_the_stream_did_not_take_are_sent_again_in_their_places(
    huts: StubCollection, tmp_path: Path
) -> None:
    refused: set[int] = set()

    def refuse(item: dict[str, Any]) -> int:
        if item["stars"] % 3 == 0 and item["stars"] not in refused:
            refused.add(item["stars"])
            return 503
        return 202

    huts.refuse_line = refuse
    run(huts, write_csv(tmp_path / "huts.csv", 10))
    assert {number - 1: item["stars"] for (_, number), item in huts.items.items()} == {at: at for at in range(10)}
    assert huts.received == 14


def test_an_interrupted_import_goes_on_with_the_same_ids(huts: StubCollection, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "huts.csv", 200)

    def interrupt(item: dict[str, Any]) -> int:
        return 999 if item["stars"] == 155 else 422 if item["stars"] in {2, 160} else 202

    expected = {number for number in range(200) if number not in {2, 155, 160}}
    huts.refuse_line = interrupt
    shown = 0

    def stop_after_a_while(_done: int, _total: int | None, _detail: str) -> None:
        nonlocal shown
        shown += 1
        if shown == 5:
            raise KeyboardInterrupt

    with pytest.raises(WaitInterrupted, match="Interrupted after 50 rows"):
        run_import(*connect(huts), ImportFiles(path), ImportOptions("huts"), stop_after_a_while)
    assert json.loads(ImportFiles(path).state.read_text())["rows"] == 50
    # As after SIGKILL: a row that was written to the file before its position was saved.
    with ImportFiles(path).rejected.open("a") as file:
        file.write('{"row": 99' * 1000)
    state = run(huts, path)
    assert (state.rows, state.rejected) == (200, 3)
    assert {item["stars"] for item in huts.items.values()} == expected
    assert len(huts.items) == len(expected), "a row has two ids"
    assert [entry["row"] for entry in read_rejected(path)] == [3, 156, 161]
    assert not ImportFiles(path).state.exists()
    again = run(huts, path)
    assert (again.rows, len(huts.items)) == (200, len(expected))


def test_a_changed_file_does_not_go_on(huts: StubCollection, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "huts.csv", 20)
    huts.faults = [(404, {})]
    with pytest.raises(UsageError, match="answers 404"):
        run(huts, path)
    write_csv(path, 30)
    with pytest.raises(UsageError, match="position of another transfer"):
        run(huts, path)
    assert run(huts, path, restart=True).rows == 30


def test_an_expired_token_is_renewed_once(huts: StubCollection, tmp_path: Path) -> None:
    huts.faults = [(401, {})]
    run(huts, write_csv(tmp_path / "huts.csv", 15), concurrency=1)
    assert huts.tokens == ["t0", "t1", "t1"]
    huts.faults = [(401, {}), (401, {})]
    with pytest.raises(UsageError, match="answers 401"):
        run(huts, write_csv(tmp_path / "more.csv", 15), concurrency=1)
    huts.faults = [(401, {})]
    client, contract = connect(huts, TokenSource(None, "mine"))
    with pytest.raises(UsageError, match="refuses the token"):
        run_import(client, contract, ImportFiles(tmp_path / "more.csv"), ImportOptions("huts"), show_nothing)


def test_a_line_that_the_firewall_refuses_is_rejected_alone(huts: StubCollection, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "huts.csv", 40)
    huts.forbidden = b'"c23"'
    state = run(huts, path)
    assert (state.rows, state.rejected, len(huts.items)) == (40, 1, 39)
    assert [entry["row"] for entry in read_rejected(path)] == [24]
    assert len({(key, line) for key, line in huts.items}) == 39


def test_the_firewall_is_named_with_the_way_out(
    huts: StubCollection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "MAX_FORBIDDEN_LINES", 2)
    huts.refusal = {"detail": "A firewall rule refused the body: a value in it looks like an attack."}
    huts.forbidden = b'"c23"'
    stack: Any = StubStack(huts.url)
    path = str(write_csv(tmp_path / "huts.csv", 40))
    result = import_.run(stack, parse(import_, path, "--collection", "huts", "--token", "t"))
    assert (result.exit_code, result.document["refused_by_firewall"]) == (1, 1)
    assert "free_text=True" in result.lines[-1]
    huts.forbidden = b"c"
    with pytest.raises(OperationError, match="takes a text of every line for an attack") as caught:
        run(huts, write_csv(tmp_path / "huts.csv", 300), concurrency=1)
    assert "free_text=True" in caught.value.hint


def test_a_service_that_forbids_everything_is_one_sentence(
    huts: StubCollection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "CHUNK_LINES", 100)
    huts.forbidden = b"c"
    with pytest.raises(OperationError, match="refuses every line with 403"):
        run(huts, write_csv(tmp_path / "huts.csv", 300), concurrency=1)
    assert huts.requests < 150


def test_a_header_that_does_not_belong_to_the_collection(huts: StubCollection, tmp_path: Path) -> None:
    path = tmp_path / "huts.csv"
    path.write_text("code,stars,rate,colour\n")
    with pytest.raises(UsageError, match="no field for 'colour'"):
        run(huts, path)
    path.write_text("code,note\n")
    with pytest.raises(UsageError, match="no column for 'stars', 'rate'"):
        run(huts, path)
    assert huts.requests == 0
    with pytest.raises(UsageError, match="has no collection inns; it has huts"):
        read_contract(Service(huts.url), "inns")


def test_an_export_is_complete_or_not_there(huts: StubCollection, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    client, _ = connect(huts)
    shown: list[int] = []

    def stop(done: int, _total: int | None, _detail: str) -> None:
        shown.append(done)
        if len(shown) == 2:
            raise KeyboardInterrupt

    with pytest.raises(WaitInterrupted, match="Interrupted after 1,000 items"):
        run_export(client, "huts", target, stop)
    assert not target.exists()
    with (tmp_path / "out.jsonl.part").open("a") as file:
        file.write("half a li" * 10_000)
    requests = huts.requests
    assert run_export(client, "huts", target, show_nothing) == 1200
    assert huts.requests == requests + 1
    assert [json.loads(line) for line in target.read_text().splitlines()] == [{"code": f"é{at}"} for at in range(1200)]
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.jsonl"]
    huts.faults = [(403, {})]
    with pytest.raises(OperationError, match="answers 403"):
        run_export(client, "huts", tmp_path / "other.jsonl", show_nothing)
    assert not (tmp_path / "other.jsonl").exists()


class StubStack:
    def __init__(self, url: str) -> None:
        self.service_url = url


def parse(command: Any, *words: str) -> Any:
    import argparse  # noqa: PLC0415

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(words)


def test_the_commands_report_what_they_did(huts: StubCollection, tmp_path: Path, capfdbinary: Any) -> None:
    stack: Any = StubStack(huts.url)
    path = str(write_csv(tmp_path / "huts.csv", 12))
    result = import_.run(stack, parse(import_, path, "--collection", "huts", "--token", "t"))
    assert (result.exit_code, result.document["accepted"]) == (0, 12)
    huts.refuse_line = lambda _item: 422
    result = import_.run(stack, parse(import_, path, "--collection", "huts", "--token", "t"))
    assert (result.exit_code, result.document["rejected"]) == (1, 12)
    assert "rejected 12 rows" in result.lines[1]
    target = tmp_path / "out.jsonl"
    words = (str(target), "--collection", "huts", "--token", "t", "--metadata")
    assert export.run(stack, parse(export, *words)).document["items"] == 1200
    assert json.loads(target.read_text().partition("\n")[0]) == {"id": "0", "version": "v", "data": {"code": "é0"}}
    with pytest.raises(UsageError, match="exists already"):
        export.run(stack, parse(export, *words))
    capfdbinary.readouterr()
    assert export.run(stack, parse(export, "--collection", "huts", "--token", "t")).lines == []
    assert capfdbinary.readouterr().out.count(b"\n") == 1200
    with pytest.raises(CommandError, match="must be 1 to 16"):
        import_.run(stack, parse(import_, path, "--collection", "huts", "--concurrency", "99"))


def test_a_service_that_is_named_by_its_url_needs_a_token_and_no_stack(huts: StubCollection, tmp_path: Path) -> None:
    path = str(write_csv(tmp_path / "huts.csv", 12))
    words = ("--collection", "huts", "--url", f"{huts.url}/v1/")
    arguments = parse(import_, path, *words, "--token", "mine")
    stack = import_.choose_stack(arguments)
    assert stack is None
    assert import_.run(stack, arguments).document["accepted"] == 12
    assert set(huts.tokens) == {"mine"}
    target = tmp_path / "out.jsonl"
    arguments = parse(export, str(target), *words, "--token", "mine")
    assert export.run(export.choose_stack(arguments), arguments).document["items"] == 1200
    with pytest.raises(UsageError, match="needs a token"):
        import_.run(None, parse(import_, path, *words, "--token", ""))
    with pytest.raises(UsageError, match="does not begin with https"):
        import_.run(
            None, parse(import_, path, "--collection", "huts", "--url", "http://example.com", "--token", "mine")
        )
