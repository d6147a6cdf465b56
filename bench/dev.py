"""How long a change of the sources takes until the local stack serves it: `python -m bench.dev`, part of `make bench`.

It changes a copy of the checkout, with `make dev` on a stack of its own. A change is served when a request shows it.
"""

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from bench import create_folder
from bench.results import is_short, save_results
from local.process import LocalError
from local.stack import Stack, down, up
from testkit.checkout import copy_checkout

RUNS, SHORT_RUNS = 3, 1
TIMEOUT_SECONDS = 120
RESOURCE = '''
"""Notes, for everyone."""

from typing import Annotated
from msgspec import Meta
from sluice.model.resource import Item, resource


@resource("notes{number}", key="slug", indexes=({indexes}))
class Note{number}(Item):
    """A note. {text}"""

    slug: str
    text: Annotated[str, Meta(max_length=100)]
{fields}'''

Change = Callable[[int], bool]
"""Makes the change with a number; returns whether a request shows it. It is called until it does."""


class Changes:
    """The kinds of changes, in the copy of a checkout."""

    def __init__(self, checkout: Path, client: httpx.Client) -> None:
        self._checkout = checkout
        self._client = client
        self._fields = ""
        self._indexes = '"text",'

    def _write_resource(self, number: int, text: str = "") -> None:
        file = self._checkout / f"src/resources/notes{number}.py"
        file.write_text(RESOURCE.format(number=number, text=text, indexes=self._indexes, fields=self._fields))

    def _read_contract(self) -> str:
        return self._client.get("/v1/openapi.json").text

    def add_resource(self, number: int) -> Callable[[], bool]:
        self._write_resource(number)
        return lambda: f"/v1/notes{number}/{{id}}" in self._read_contract()

    def change_text(self, number: int) -> Callable[[], bool]:
        self._write_resource(0, text=f"Version {number}.")
        return lambda: f"Version {number}." in self._read_contract()

    def change_function(self, number: int) -> Callable[[], bool]:
        module = self._checkout / "src/sluice/openapi/document.py"
        module.write_text(re.sub(r'"title": "\w+"', f'"title": "Sluice{number}"', module.read_text(), count=1))
        return lambda: f'"title":"Sluice{number}"' in self._read_contract()

    def add_field(self, number: int) -> Callable[[], bool]:
        self._fields += f"    field_{number}: int | None = None\n"
        self._write_resource(0)
        return lambda: f"field_{number}" in self._read_contract()

    def add_index(self, number: int) -> Callable[[], bool]:
        self._indexes += f' "field_{number}",'
        self._write_resource(0)
        return lambda: self._client.get("/v1/notes0", params={f"field_{number}": "1"}).is_success

    def change_template(self, number: int) -> Callable[[], bool]:
        template = self._checkout / "template.yaml"
        text = re.sub(r"(POWERTOOLS_METRICS_NAMESPACE: Sluice)\w*", rf"\g<1>{number}", template.read_text())
        template.write_text(text)
        functions = Stack.load(Path(os.environ["SLUICE_LOCAL"])).aws_client("lambda")

        def is_deployed() -> bool:
            [first, *_] = functions.list_functions()["Functions"]
            return str(first["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"]) == f"Sluice{number}"

        return is_deployed


def measure(make_change: Callable[[int], Callable[[], bool]], number: int) -> float:
    """Seconds from the change until a request shows it."""
    started = time.monotonic()
    is_served = make_change(number)
    while not is_served():
        if time.monotonic() - started > TIMEOUT_SECONDS:
            raise TimeoutError(make_change.__name__)
        time.sleep(0.1)
    return time.monotonic() - started


@contextmanager
def developing(checkout: Path) -> Iterator[None]:
    """`make dev` in the checkout, until the block ends."""
    with (checkout / "dev.log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "local.dev"],
            cwd=checkout, env={**os.environ, "PYTHONPATH": "src:."}, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            while "serving each change" not in (checkout / "dev.log").read_text():
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(timeout=TIMEOUT_SECONDS)
            print((checkout / "dev.log").read_text())


def main() -> None:
    with create_folder() as folder:
        os.environ["SLUICE_LOCAL"] = str(folder / "stack")
        try:
            stack = up()
            token = stack.machine_token()
            client = httpx.Client(
                base_url=stack.api_url, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False
            )
            checkout = copy_checkout(folder / "checkout")
            changes = Changes(checkout, client)
            kinds = {
                "a new resource": changes.add_resource,
                "code of a function": changes.change_function,
                "text of a class": changes.change_text,
                "a new field": changes.add_field,
                "a new index": changes.add_index,
                "template.yaml": changes.change_template,
            }
            with developing(checkout):
                runs = range(SHORT_RUNS if is_short() else RUNS)
                seconds = {kind: [measure(change, number) for number in runs] for kind, change in kinds.items()}
        finally:
            with suppress(LocalError):
                down()
    for kind, times in seconds.items():
        print(f"{kind:20} {statistics.median(times):5.1f} s ({min(times):.1f} to {max(times):.1f})")
    save_results("dev", {kind: {"median_s": round(statistics.median(times), 1)} for kind, times in seconds.items()})


if __name__ == "__main__":
    main()
