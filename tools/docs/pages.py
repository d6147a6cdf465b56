"""The generated pages, by the file that each one belongs into."""

from collections.abc import Callable
from pathlib import Path

from ops.template import read_template
from tools.docs.command_line import render_command_line
from tools.docs.cost import render_cost
from tools.docs.decisions import render_index
from tools.docs.parameters import render_parameters
from tools.docs.settings import render_settings
from tools.edge_template import render_edge_template
from tools.monitoring.reference import render_operate, render_reference
from tools.monitoring.template_block import render_template

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
ADR = ROOT / "docs" / "adr"
OPERATE = ROOT / "docs" / "how-to" / "operate.md"
TEMPLATE = ROOT / "template.yaml"


RENDERERS: dict[Path, Callable[[], str]] = {
    REFERENCE / "cli.md": render_command_line,
    REFERENCE / "cost.md": render_cost,
    REFERENCE / "parameters.md": lambda: render_parameters(read_template()),
    REFERENCE / "metrics-and-alarms.md": render_reference,
    REFERENCE / "settings.md": lambda: render_settings(ROOT / "src" / "sluice" / "settings.py"),
    ADR / "index.md": lambda: render_index(ADR),
    OPERATE: lambda: render_operate(OPERATE.read_text()),
    TEMPLATE: lambda: render_template(TEMPLATE.read_text()),
    ROOT / "edge.yaml": lambda: render_edge_template(TEMPLATE.read_text()),
}
"""What renders each generated page."""


def render_pages() -> dict[Path, str]:
    """Return the text of every generated page."""
    return {path: render() for path, render in RENDERERS.items()}
