"""What the guides name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SECURITY = (DOCS / "security.md").read_text()
GUIDES = [ROOT / "README.md", ROOT / "events" / "README.md", *sorted(DOCS.glob("*.md"))]


def test_every_test_that_security_names_is_there() -> None:
    named = re.findall(r"`(tests/[^`]+)`", SECURITY)
    assert len(named) > 30
    assert {name for name in named if not (ROOT / name).is_file()} == set()


def test_every_threat_has_a_lock_and_a_place() -> None:
    lines = [line for line in SECURITY.splitlines() if line.startswith("| ") and not line.startswith("| threat ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len(rows) > 25
    assert [row[0] for row in rows if len(row) != 3 or not all(row)] == []


def anchors(guide: Path) -> set[str]:
    """The headings as a link names them."""
    heads = re.findall(r"^#+ (.*)$", guide.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: str(guide.relative_to(ROOT)))
def test_links_between_guides_lead_somewhere(guide: Path) -> None:
    links = re.findall(r"\]\(([^():#]*)(?:#([^()]*))?\)", guide.read_text())
    files = {target for target, _ in links if target and not (guide.parent / target).exists()}
    places = {
        f"{target}#{anchor}"
        for target, anchor in links
        if anchor
        and (not target or target.endswith(".md"))
        and anchor not in anchors(guide.parent / target if target else guide)
    }
    assert (files, places) == (set(), set())
