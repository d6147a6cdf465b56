"""The pages of docs/how-to that help with an alarm, and the table of them in `operate.md`."""

import re
from pathlib import Path

from tools.docs.markdown import format_table
from tools.monitoring.alarms import ALARMS
from tools.monitoring.template_block import replace_block

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"
BEGIN = "<!-- Generated from tools/monitoring by `make docs`: change it there. -->\n"
END = "<!-- End of the generated table. -->\n"


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


def render_operate(page: str) -> str:
    """The text of operate.md with the table of alarms and pages."""
    names: dict[str, list[str]] = {}
    for alarm in ALARMS:
        names.setdefault(alarm.runbook, []).append(alarm.name)
    rows = ((f"[{read_title(runbook)}]({runbook})", ", ".join(alarms)) for runbook, alarms in names.items())
    return replace_block(page, BEGIN, END, "\n" + "\n".join(format_table(("page", "alarms"), rows)) + "\n\n")
