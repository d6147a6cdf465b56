"""Run the SAM CLI, and build the template with it."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from local.process import LocalError
from local.stack.folder import REPOSITORY
from local.stack.parameters import detect_runtime, format_overrides


def run_sam(arguments: Sequence[str], log: Path, *, environment: Mapping[str, str], failure: str) -> None:
    """Run `sam` in the repository. Raises LocalError with the sentence `failure` and the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    tools = REPOSITORY / ".tools" / "sam" / "bin"
    path = f"{Path(sys.executable).parent}:{tools}:{os.environ.get('PATH', '')}"
    # What the caller's shell says about AWS accounts and Python's modules must not reach a build or a local deploy. A
    # build calls pip a dozen times, which is compiled once if it may be.
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"} and not name.startswith("AWS_")
    }
    with log.open("wb") as output:
        try:
            done = subprocess.run(
                ["sam", *arguments],
                cwd=REPOSITORY,
                env={**inherited, "PATH": path, "SAM_CLI_TELEMETRY": "0", **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except FileNotFoundError as error:
            raise LocalError("The SAM CLI is not installed; run `make setup`.") from error
    if done.returncode != 0:
        raise LocalError(failure, log)


TEMPLATE = REPOSITORY / "template.yaml"


SAM_CONFIG = REPOSITORY / "samconfig.toml"


# All functions have the same code, that of _CODE; it is built for one of them.
_CODE, _BUILT = "src/", "PostFunction"


_ELSEWHERE = "elsewhere.zip"  # what SAM does not build


_SOURCES = ("template.yaml", "samconfig.toml", "src", "layers", "statemachines")


def fingerprint_sources(*more: bytes) -> str:
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


def build_template(
    target: Path, log: Path, parameters: dict[str, str], *, ca: Path | None = None, cached: bool = False
) -> bool:
    """Build the template into `target` with the parameters given, among them Runtime and Architecture.

    `ca` is the CA bundle that the functions trust; without one the trust layer fetches that of RDS. Returns whether
    bytecode could be compiled, which takes a Python of the runtime's version. `cached` keeps what did not change by its
    sources, and that leaves a trust layer as it was even when `ca` is another. Raises LocalError.
    """
    # What of `parameters` comes from elsewhere may hold spaces and commas; the build reads these two.
    read = {name: parameters[name] for name in ("Runtime", "Architecture")}
    with _one_function_to_build() as template:
        run_sam(
            [
                "build",
                *("--template-file", str(template)),
                *("--build-dir", str(target)),
                *(("--cached", "--cache-dir", str(target.parent / "cache")) if cached else ()),
                *("--parameter-overrides", *format_overrides(read)),
            ],
            log,
            environment={"SLUICE_CA_BUNDLE": str(ca)} if ca else {},
            failure="sam build failed.",
        )
    _share_code(target / "template.yaml")
    return compile_bytecode(target, parameters["Runtime"], log)


@contextmanager
def _one_function_to_build() -> Iterator[Path]:
    """The template with one function's code to build: SAM would copy, and later pack, the same code for each."""
    text, shared = re.subn(rf"(?m)^    CodeUri: {_CODE}$", f"    CodeUri: {_ELSEWHERE}", TEMPLATE.read_text())
    text, named = re.subn(rf"(?ms)^  {_BUILT}:$.*?^    Properties:\n", rf"\g<0>      CodeUri: {_CODE}\n", text, count=1)
    if (shared, named) != (1, 1):
        raise LocalError(f"{TEMPLATE.name} has no CodeUri {_CODE} for all functions, or no {_BUILT}.")
    # Beside the template, since its paths are relative.
    with NamedTemporaryFile("w", dir=REPOSITORY, prefix=".template-", suffix=".yaml") as template:
        template.write(text)
        template.flush()
        yield Path(template.name)


def _share_code(template: Path) -> None:
    """Let every function use the code that was built."""
    template.write_text(template.read_text().replace(f"CodeUri: {_ELSEWHERE}\n", f"CodeUri: {_BUILT}\n"))


def compile_bytecode(target: Path, runtime: str, log: Path) -> bool:
    """Put .pyc files beside every module under `target`, since importing without them takes twice as long.

    They are not checked against their source: it does not change any more, and unpacking changes its date.
    """
    interpreter = sys.executable if runtime == detect_runtime() else shutil.which(runtime)
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
