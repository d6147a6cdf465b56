"""`make lock`: compile pyproject.toml to requirement files, pinned with hashes and without the name of an index."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMPILE = [
    f"{ROOT}/.tools/uv/bin/uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-annotate",
    "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--python-version", "3.11",
]  # fmt: skip
DEV = "requirements/dev.txt"


def compile_requirements(target: str, *sources: str, text: str | None = None) -> None:
    """Compile the sources (or `text`, for the source `-`) to a target, which keeps its versions if they still fit."""
    subprocess.run([*COMPILE, *sources, "--output-file", target], cwd=ROOT, check=True, text=True, input=text)


def main() -> int:
    compile_requirements("requirements/uv.txt", "-", text="uv")
    compile_requirements("requirements/sam.txt", "-", text="aws-sam-cli==1.170.*")
    extras = [f"--extra={extra}" for extra in ("local", "dev", "tracing", "botocore", "migration", "ops", "bench")]
    compile_requirements(DEV, "pyproject.toml", *extras)
    compile_requirements("requirements/ops.txt", "-", "--constraint", DEV, text="\n".join(_read_extra("ops")))
    compile_requirements("requirements/docs.txt", "-", text="\n".join(_read_extra("docs")))
    compile_requirements("requirements/judges.txt", "-", text="\n".join(_read_extra("judges")))
    compile_requirements("requirements/data.txt", "-", "--no-deps", text="\n".join(_read_extra("data")))
    # The deployed functions have the versions that the tests use.
    compile_requirements("src/requirements.txt", "pyproject.toml", "--constraint", DEV)
    tracing, botocore = "\n".join(_read_extra("tracing")), "\n".join(_read_extra("botocore"))
    compile_requirements("layers/tracing/requirements.txt", "-", "--constraint", DEV, "--no-deps", text=tracing)
    compile_requirements("layers/botocore/requirements.txt", "-", "--constraint", DEV, text=botocore)
    # Also the requirements that src/requirements.txt already has: pip checks hashes for all requirements or for none.
    migration = "\n".join(_read_extra("migration"))
    compile_requirements("layers/migration/requirements.txt", "-", "--constraint", DEV, text=migration)
    return 0


def _read_extra(name: str) -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return list(project["optional-dependencies"][name])


if __name__ == "__main__":
    sys.exit(main())
