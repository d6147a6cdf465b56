"""Write every generated page of the documentation: `python -m tools.docs`."""

import subprocess
import sys

from tools.docs.diagram import draw_diagrams
from tools.docs.pages import ROOT, TEMPLATE, render_pages
from tools.monitoring.template_block import render_template


def main() -> int:
    # Pages are made from the template, so its own generated block comes first.
    TEMPLATE.write_text(render_template(TEMPLATE.read_text()))
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
