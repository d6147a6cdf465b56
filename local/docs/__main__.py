"""Write every generated page of the documentation: `python -m local.docs`."""

import subprocess
import sys

from local.docs.diagram import draw_diagrams
from local.docs.pages import ROOT, render_pages


def main() -> int:
    for path, text in render_pages().items():
        path.write_text(text)
    try:
        draw_diagrams(ROOT)
    except subprocess.CalledProcessError as error:
        print(f"the architecture diagram cannot be drawn: {error.stderr}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
