"""edge.yaml: what of template.yaml AWS creates in us-east-1 only, for a stack in another Region.

The text of parameters, mappings, conditions and resources is that of template.yaml, comments included, so that the web
ACL has one definition. `python -m tools.docs` writes the file.
"""

import re
from collections.abc import Sequence

_PARAMETERS = ("EdgeRateLimit", "FreeTextCollections", "LargestBody", "LogRetentionDays")
_RESOURCES = (
    "EdgeAcl",
    "EdgeAclLogging",
    "EdgeAclLog",
    "EdgeLogSource",
    "EdgeLogDestination",
    "EdgeLogDelivery",
    "EdgeLog",
)
# Conditions of the resources in template.yaml, and those in edge.yaml: the stack is in us-east-1, and the distribution
# is made after the web ACL.
_CONDITIONS = {"    Condition: MakeEdgeAcl\n": "", "    Condition: MainRegion\n": "    Condition: HasDistribution\n"}

_HEAD = """\
# Written by `python -m tools.docs` from template.yaml. Change it there.
AWSTemplateFormatVersion: "2010-09-09"
Description: >-
  Sluice, outside us-east-1: the web ACL of the CloudFront distribution with its log, and the distribution's access log.
  AWS creates these in us-east-1 only. `sluice deploy` deploys it.

Parameters:
  Distribution:
    Description: Id of the other stack's CloudFront distribution, for its access log; empty until that stack exists.
    Type: String
    Default: ""
    AllowedPattern: ^[A-Z0-9]*$
    MaxLength: 32
    ConstraintDescription: must be empty or the id of a distribution.
"""
_RULES = """
Rules:
  MainRegion:
    Assertions:
      - Assert: !Equals [!Ref "AWS::Region", us-east-1]
        AssertDescription: AWS creates web ACLs of scope CLOUDFRONT in us-east-1 only.
"""
_OUTPUTS = """
Outputs:
  EdgeAclArn:
    Description: ARN of the web ACL, for the parameter EdgeAclArn of the other stack.
    Value: !GetAtt EdgeAcl.Arn
  EdgeLogGroupName:
    Condition: HasDistribution
    Description: Log group of the distribution's access log.
    Value: !Ref EdgeLog
"""


def render_edge_template(template: str) -> str:
    """The text of edge.yaml, from that of template.yaml. Raises ValueError when a part is missing there."""
    parts = [
        _HEAD,
        *_copy_entries(template, "Parameters", _PARAMETERS),
        _RULES,
        "\nMappings:\n",
        *_copy_entries(template, "Mappings", ["LargerThan"]),
        "\nConditions:\n",
        *_copy_entries(template, "Conditions", ["FreeText"]),
        '  HasDistribution: !Not [!Equals [!Ref Distribution, ""]]\n',
        "\nResources:\n",
        "\n".join(_copy_entries(template, "Resources", _RESOURCES)),
        _OUTPUTS,
    ]
    text = "".join(parts)
    for old, new in _CONDITIONS.items():
        text = text.replace(old, new)
    return text


def _copy_entries(template: str, section: str, names: Sequence[str]) -> list[str]:
    """The lines of these entries of a section, each without the comments and empty lines after it."""
    content = re.search(rf"^{section}:\n(.*?)(?=^\w|\Z)", template, re.MULTILINE | re.DOTALL)
    entries = []
    for name in names:
        entry = re.search(rf"^  {name}:.*\n(?:(?:    .*)?\n)*", content[1], re.MULTILINE) if content else None
        if entry is None:
            raise ValueError(f"template.yaml has no {name} in {section}")
        entries.append(f"{entry[0].rstrip()}\n")
    return entries
