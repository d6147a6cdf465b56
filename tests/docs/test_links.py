"""Links and named files exist."""

import re
from pathlib import Path

import pytest
import yaml

from tests.docs.words import ROOT, list_files
from tools.docs.markdown import compute_anchor

DOCS = ROOT / "docs"
SECURITY = (DOCS / "explanation/security.md").read_text()
VERIFIED = (DOCS / "explanation/verified.md").read_text()
PAGES = [path for path in list_files() if path.suffix == ".md"]


def list_tests_named_in(page: str) -> list[str]:
    return re.findall(r"`(tests/[^`]+)`", page)


def test_every_test_that_security_names_exists() -> None:
    named = list_tests_named_in(SECURITY)
    assert len(named) > 30
    assert {name for name in named if not (ROOT / name).is_file()} == set()


def test_every_test_that_verified_names_exists() -> None:
    named = list_tests_named_in(VERIFIED)
    assert len(named) > 60
    assert {name for name in named if not list(ROOT.glob(name))} == set()


FOLDERS = "src|ops|local|bench|tests|testkit|tools|layers|statemachines|requirements|events|docs"
# What a reader creates in a tutorial, and a form.
EXAMPLES = {"src/resources/hotels.py", "docs/adr/NNNN-title.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = set(re.findall(rf"`((?:{FOLDERS})/[\w/.*-]*)`", page.read_text()))
    assert {name for name in named - EXAMPLES if not list(ROOT.glob(name))} == set()


def test_every_threat_has_a_measure_and_a_test() -> None:
    lines = [line for line in SECURITY.splitlines() if line.startswith("| ") and not line.startswith("| threat ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len(rows) > 25
    assert [row[0] for row in rows if len(row) != 3 or not all(row)] == []


def list_anchors(page: Path) -> set[str]:
    """The headings as a link names them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return set(map(compute_anchor, headings))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\(([^():#]*)(?:#([^()]*))?\)", text)
    links += [(target, "") for target in re.findall(r'(?:src|srcset)="([^":]+)"', text)]
    missing = {target for target, _ in links if target and not (page.parent / target).exists()}
    places = {
        f"{target}#{anchor}"
        for target, anchor in links
        if anchor
        and not anchor.startswith("only-")
        and (not target or target.endswith(".md"))
        and anchor not in list_anchors(page.parent / target if target else page)
    }
    assert (missing, places) == (set(), set())


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    assert listed == {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}


def test_the_site_loads_nothing_from_elsewhere() -> None:
    theme = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["theme"]
    assert theme["font"] is False
    pages = [path for path in PAGES if path.is_relative_to(DOCS)]
    assert [path.name for path in pages if re.search(r"!\[[^]]*\]\(http|```mermaid", path.read_text())] == []
