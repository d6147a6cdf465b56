"""Run the SAM CLI; build the template with one code folder for all functions, and compiled bytecode in it."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from local.process import LocalError
from local.stack.folder import REPOSITORY
from local.stack.parameters import detect_runtime, format_overrides
from ops.failures.explanation import explain_build

TEMPLATE = REPOSITORY / "template.yaml"
# All functions share the code in _CODE_FOLDER. SAM builds it for BUILT_FUNCTION only.
_CODE_FOLDER, BUILT_FUNCTION = "src/", "PostFunction"
CODE = REPOSITORY / _CODE_FOLDER
# What `refresh_api_definition` writes. The template includes them.
API_FILES = (REPOSITORY / "api.json", REPOSITORY / "api-digests.json")
_PLACEHOLDER = "elsewhere.zip"  # SAM does not build a zip file
_SOURCES = ("template.yaml", *(path.name for path in API_FILES), "samconfig.toml", "src", "layers", "statemachines")


def run_sam(
    arguments: Sequence[str], log: Path, *, environment: Mapping[str, str], explain: Callable[[str], str]
) -> None:
    """Run `sam` in the repository, its output in `log`.

    Raises LocalError with the sentence that `explain` finds for the output, and the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    tools = REPOSITORY / ".tools" / "sam" / "bin"
    path = f"{Path(sys.executable).parent}:{tools}:{os.environ.get('PATH', '')}"
    # The caller's settings for AWS accounts and Python modules must not reach a build or a local deploy. Without
    # PYTHONDONTWRITEBYTECODE, Python compiles pip once although a build calls it a dozen times.
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"} and not name.startswith("AWS_")
    }
    with log.open("wb") as output:
        try:
            process = subprocess.run(
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
    if process.returncode != 0:
        raise LocalError(explain(log.read_text(errors="replace")), log, is_explained=True)


def is_built(path: Path) -> bool:
    """Whether only `sam build` can bring a source into the package. It brings the API's files nowhere: a deploy reads
    them."""
    return path not in API_FILES and not (path.suffix == ".py" and path.is_relative_to(CODE))


def fingerprint_sources(*extra: bytes, select: Callable[[Path], bool] = lambda _path: True) -> str:
    """A hash of the selected files among those that a build or a deploy reads, and of `extra`."""
    digest = hashlib.sha256()
    for path in filter(select, list_source_files()):
        digest.update(f"{path.relative_to(REPOSITORY)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    for item in extra:
        digest.update(b"\0" + item)
    return digest.hexdigest()


def list_source_files(root: Path = REPOSITORY) -> Iterator[Path]:
    """Every file that a build or a deploy reads."""
    for name in _SOURCES:
        source = root / name
        paths = source.rglob("*") if source.is_dir() else [source]
        yield from sorted(path for path in paths if path.is_file() and "__pycache__" not in path.parts)


def refresh_api_definition() -> None:
    """Write the API's files from the resource classes, as `sam build` does. Raises LocalError before a build."""
    process = subprocess.run(
        [sys.executable, "-B", "-m", "tools.api_definition"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY / 'src'}{os.pathsep}{REPOSITORY}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode != 0:
        # Of a file that Python cannot import, the last line of the traceback.
        raise LocalError((process.stderr.strip().splitlines() or ["api.json could not be written."])[-1])


def build_template(
    target: Path, log: Path, parameters: dict[str, str], *, ca: Path | None = None, cached: bool = False
) -> bool:
    """Build the template into `target` with these parameters, which must include Runtime and Architecture.

    `ca` is the CA bundle that the functions trust; without it, the trust layer downloads the bundle of RDS. `cached`
    reuses the parts whose sources did not change; SAM then keeps the old trust layer although `ca` is another one.
    Returns whether the bytecode could be compiled, which needs a Python of the runtime's version. Raises LocalError.
    """
    # Other parameters may contain spaces and commas; the build needs these two only.
    build_parameters = {name: parameters[name] for name in ("Runtime", "Architecture")}
    with _write_template_with_one_build() as template:
        run_sam(
            [
                "build",
                *("--template-file", str(template)),
                *("--build-dir", str(target)),
                *(("--cached", "--cache-dir", str(target.parent / "cache")) if cached else ()),
                *("--parameter-overrides", *format_overrides(build_parameters)),
            ],
            log,
            environment={"SLUICE_CA_BUNDLE": str(ca)} if ca else {},
            explain=explain_build,
        )
    _share_code(target / "template.yaml")
    return compile_bytecode(target, parameters["Runtime"], log)


@contextmanager
def _write_template_with_one_build() -> Iterator[Path]:
    """The template with the code of one function to build. Otherwise SAM copies, and later packs, the same code for
    each function."""
    text, shared_count = re.subn(
        rf"(?m)^    CodeUri: {_CODE_FOLDER}$", f"    CodeUri: {_PLACEHOLDER}", TEMPLATE.read_text()
    )
    text, function_count = re.subn(
        rf"(?ms)^  {BUILT_FUNCTION}:$.*?^    Properties:\n", rf"\g<0>      CodeUri: {_CODE_FOLDER}\n", text, count=1
    )
    if (shared_count, function_count) != (1, 1):
        raise LocalError(
            f"{TEMPLATE.name} has no CodeUri {_CODE_FOLDER} for all functions, or no function {BUILT_FUNCTION}."
        )
    # In the folder of the template, because its paths are relative.
    with NamedTemporaryFile("w", dir=REPOSITORY, prefix=".template-", suffix=".yaml") as template:
        template.write(text)
        template.flush()
        yield Path(template.name)


def _share_code(template: Path) -> None:
    """Make every function use the built code."""
    template.write_text(template.read_text().replace(f"CodeUri: {_PLACEHOLDER}\n", f"CodeUri: {BUILT_FUNCTION}\n"))


def compile_bytecode(target: Path, runtime: str, log: Path) -> bool:
    """Write a .pyc file for every module under `target`, because an import without it takes twice as long.

    Python does not check these files against the source: the source no longer changes, but unpacking changes its date.
    """
    interpreter = sys.executable if runtime == detect_runtime() else shutil.which(runtime)
    for cache in list(target.rglob("__pycache__")):
        shutil.rmtree(cache)
    if interpreter is None:
        return False
    with log.open("ab") as output:
        process = subprocess.run(
            [interpreter, "-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash", str(target)],
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if process.returncode != 0:
        raise LocalError("Some of the built modules could not be compiled.", log)
    return True
