"""The architecture diagram: D2 draws docs/assets/architecture.d2 for a light and for a dark page."""

import hashlib
import subprocess
from pathlib import Path

THEMES = {"light": "0", "dark": "200"}


def diagram_digest(root: Path) -> str:
    """Return the digest of the diagram's text, which each drawing carries."""
    return hashlib.sha256((root / "docs/assets/architecture.d2").read_bytes()).hexdigest()[:16]


def draw_diagrams(root: Path) -> None:
    """Draw both files, unless they were drawn from the present text. Raises CalledProcessError."""
    mark = f"<!-- drawn from architecture.d2 {diagram_digest(root)} -->"
    for name, theme in THEMES.items():
        target = root / f"docs/assets/architecture-{name}.svg"
        if target.exists() and target.read_text().endswith(mark + "\n"):
            continue
        subprocess.run(
            [
                f"{root}/.tools/docs/bin/d2", "--layout", "tala", "--theme", theme, "--pad", "8", "--omit-version",
                f"{root}/docs/assets/architecture.d2", str(target),
            ],
            check=True,
            capture_output=True,
            text=True,
        )  # fmt: skip
        target.chmod(0o644)
        target.write_text(target.read_text().rstrip() + f"\n{mark}\n")
