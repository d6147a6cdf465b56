"""The generated pages are those of this code and this template."""

from pathlib import Path

import pytest

from tests.docs.words import ROOT
from tools.docs.diagram import THEMES, diagram_digest
from tools.docs.pages import RENDERERS


@pytest.mark.parametrize("path", RENDERERS, ids=lambda path: path.name)
def test_a_generated_page_is_up_to_date(path: Path) -> None:
    assert path.read_text() == RENDERERS[path](), "run make docs"


@pytest.mark.parametrize("theme", THEMES)
def test_the_diagram_is_drawn_from_its_text(theme: str) -> None:
    drawing = (ROOT / f"docs/assets/architecture-{theme}.svg").read_text()
    assert drawing.endswith(f"<!-- drawn from architecture.d2 {diagram_digest(ROOT)} -->\n"), "run make docs"
