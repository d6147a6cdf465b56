"""`make lock`: compile pyproject.toml to the requirement files, pinned with hashes and free of any index's name."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMPILE = [
    f"{ROOT}/.tools/uv/bin/uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-annotate",
    "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--python-version", "3.11",
]  # fmt: skip
DEV = "requirements/dev.txt"


def compiled(target: str, *sources: str, text: str | None = None) -> None:
    """Compile sources (or a requirement given as text) to a target. Versions that it has are kept where they fit."""
    subprocess.run([*COMPILE, *sources, "--output-file", target], cwd=ROOT, check=True, text=True, input=text)


def without(target: str, other: str) -> None:
    """Take out of a requirement file what another one has."""
    shipped = set(_entries(other))
    kept = [entry for name, entry in _entries(target).items() if name not in shipped]
    (ROOT / target).write_text("".join(kept))


def _entries(path: str) -> dict[str, str]:
    """The entries of a requirement file, each with its hashes, by the name of the package."""
    entries: dict[str, str] = {}
    name = ""
    for line in (ROOT / path).read_text().splitlines(keepends=True):
        if not line.startswith(" "):
            name = line.split("==")[0]
            entries[name] = ""
        entries[name] += line
    return entries


def main() -> int:
    compiled("requirements/uv.txt", "-", text="uv")
    compiled("requirements/sam.txt", "-", text="aws-sam-cli==1.170.*")
    compiled(DEV, "pyproject.toml", *(f"--extra={extra}" for extra in ("local", "dev", "migration")))
    # What ships has the versions that are tested.
    compiled("src/requirements.txt", "pyproject.toml", "--constraint", DEV)
    layer = "layers/migration/requirements.txt"
    compiled(layer, "pyproject.toml", "--extra=migration", "--constraint", DEV)
    without(layer, "src/requirements.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
