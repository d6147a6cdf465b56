"""The generated pages, by the file that each one belongs into."""

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


def render_pages() -> dict[Path, str]:
    """Return the text of every generated page."""
    template = read_template()
    return {
        REFERENCE / "cli.md": render_command_line(),
        REFERENCE / "cost.md": render_cost(),
        REFERENCE / "parameters.md": render_parameters(template),
        REFERENCE / "metrics-and-alarms.md": render_reference(),
        REFERENCE / "settings.md": render_settings(ROOT / "src" / "sluice" / "settings.py"),
        ADR / "index.md": render_index(ADR),
        OPERATE: render_operate(OPERATE.read_text()),
        TEMPLATE: render_template(TEMPLATE.read_text()),
        ROOT / "edge.yaml": render_edge_template(TEMPLATE.read_text()),
    }
