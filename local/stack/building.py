"""sam build, one folder for functions that share their code, and compiled bytecode in it."""

import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from local.process import LocalError
from local.stack.folder import REPOSITORY
from local.stack.sam import run_sam
from local.stack.settings import as_overrides, machine_runtime

TEMPLATE = REPOSITORY / "template.yaml"
CONFIG = REPOSITORY / "samconfig.toml"
_SOURCES = ("template.yaml", "samconfig.toml", "src", "layers", "statemachines")


def fingerprint(*more: bytes) -> str:
    """Changes whenever anything changes that a build or a deploy reads, or one of `more`."""
    digest = hashlib.sha256()
    for path in _source_files():
        digest.update(f"{path.relative_to(REPOSITORY)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    for item in more:
        digest.update(b"\0" + item)
    return digest.hexdigest()


def _source_files() -> Iterator[Path]:
    for name in _SOURCES:
        source = REPOSITORY / name
        found = source.rglob("*") if source.is_dir() else [source]
        yield from sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def build(target: Path, log: Path, parameters: dict[str, str], *, ca: Path | None = None, cached: bool = False) -> bool:
    """Build the template into `target` with the parameters given, among them Runtime and Architecture.

    `ca` is the CA bundle that the functions trust; without one the trust layer fetches that of RDS. Returns whether
    bytecode could be compiled, which takes a Python of the runtime's version. `cached` keeps what did not change by its
    sources, and that leaves a trust layer as it was even when `ca` is another. Raises LocalError.
    """
    # What of `parameters` comes from elsewhere may hold spaces and commas; the build reads these two.
    read = {name: parameters[name] for name in ("Runtime", "Architecture")}
    run_sam(
        [
            "build",
            *("--template-file", str(TEMPLATE)),
            *("--build-dir", str(target)),
            *(("--cached", "--cache-dir", str(target.parent / "cache")) if cached else ()),
            *("--parameter-overrides", *as_overrides(read)),
        ],
        log,
        environment={"SLUICE_CA_BUNDLE": str(ca)} if ca else {},
        failure="sam build failed.",
    )
    _share_code(target)
    return compile_bytecode(target, parameters["Runtime"], log)


def _share_code(target: Path) -> None:
    """Let functions that were built together use one folder: SAM copies it for each, and would pack each copy."""
    record = tomllib.loads((target.parent / "build.toml").read_text())
    template = target / "template.yaml"
    text = template.read_text()
    for definition in record.get("function_build_definitions", {}).values():
        kept, *copies = definition["functions"]
        for copy in copies:
            text, changed = re.subn(rf"(?m)^( +CodeUri: ){re.escape(copy)}$", rf"\g<1>{kept}", text)
            if changed:
                shutil.rmtree(target / copy)
    template.write_text(text)


def compile_bytecode(target: Path, runtime: str, log: Path) -> bool:
    """Put .pyc files beside every module under `target`, since importing without them takes twice as long.

    They are not checked against their source: it does not change any more, and unpacking changes its date.
    """
    interpreter = sys.executable if runtime == machine_runtime() else shutil.which(runtime)
    for cache in list(target.rglob("__pycache__")):
        shutil.rmtree(cache)
    if interpreter is None:
        return False
    with log.open("ab") as output:
        done = subprocess.run(
            [interpreter, "-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash", str(target)],
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise LocalError("Some of the built modules could not be compiled.", log)
    return True
