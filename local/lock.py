"""`make lock`: compile pyproject.toml to the requirement files, pinned with hashes and free of any index's name."""

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
    """Compile sources (or a requirement given as text) to a target. Versions that it has are kept where they fit."""
    subprocess.run([*COMPILE, *sources, "--output-file", target], cwd=ROOT, check=True, text=True, input=text)


def main() -> int:
    compile_requirements("requirements/uv.txt", "-", text="uv")
    compile_requirements("requirements/sam.txt", "-", text="aws-sam-cli==1.170.*")
    compile_requirements(
        DEV, "pyproject.toml", *(f"--extra={extra}" for extra in ("local", "dev", "migration", "ops", "bench"))
    )
    compile_requirements("requirements/ops.txt", "-", "--constraint", DEV, text="\n".join(_extra("ops")))
    compile_requirements("requirements/docs.txt", "-", text="\n".join(_extra("docs")))
    # What ships has the versions that are tested.
    compile_requirements("src/requirements.txt", "pyproject.toml", "--constraint", DEV)
    # The whole closure, also of what src/requirements.txt has: pip takes hashes for all requirements or for none.
    compile_requirements(
        "layers/migration/requirements.txt", "-", "--constraint", DEV, text="\n".join(_extra("migration"))
    )
    return 0


def _extra(name: str) -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return list(project["optional-dependencies"][name])


if __name__ == "__main__":
    sys.exit(main())
