"""The pages of docs/how-to that help with an alarm or a widget."""

import re
from pathlib import Path

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"


def read_title(runbook: str) -> str:
    """The heading of a runbook: of its section, or of its page. Raises ValueError when there is no such heading."""
    page, _, section = runbook.partition("#")
    headings: list[str] = re.findall(r"^#+ (.*)$", (HOW_TO / page).read_text(), re.MULTILINE)
    for heading in headings:
        if not section or compute_anchor(heading) == section:
            return heading
    raise ValueError(f"docs/how-to/{page} has no section #{section}.")


def compute_anchor(heading: str) -> str:
    """The anchor of a heading, as code hosts compute it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
