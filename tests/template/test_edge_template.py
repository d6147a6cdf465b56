"""edge.yaml has what AWS creates in us-east-1 only, as template.yaml defines it."""

import pytest

from testkit.translate import EDGE_TEMPLATE, REPOSITORY, TEMPLATE, Template, read, translate
from tests.template.check import check_with_cfn_lint, check_with_rules
from tools.edge_template import render_edge_template

# The conditions of what AWS creates in us-east-1 only.
IN_MAIN_REGION = {"MainRegion", "MakeEdgeAcl"}


def test_it_breaks_no_rule() -> None:
    translated = translate(read(EDGE_TEMPLATE), REPOSITORY)
    assert [*check_with_rules(translated), *check_with_cfn_lint(translated)] == []


def test_it_has_every_resource_that_only_us_east_1_can_have(template: Template) -> None:
    only_there = {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource.get("Condition") in IN_MAIN_REGION
    }
    edge = read(EDGE_TEMPLATE)
    assert {name: resource["Properties"] for name, resource in edge["Resources"].items()} == only_there
    own = edge["Parameters"].keys() - template["Parameters"].keys()
    assert own == {"Distribution"}


def test_a_part_that_the_template_no_longer_has_is_named() -> None:
    text = TEMPLATE.read_text().replace("\n  EdgeAclLogging:\n", "\n  EdgeAclLogs:\n")
    with pytest.raises(ValueError, match=r"template.yaml has no EdgeAclLogging in Resources"):
        render_edge_template(text)
