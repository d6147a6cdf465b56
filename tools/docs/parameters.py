"""The page of the stack's parameters and outputs, made from template.yaml."""

from typing import Any

from tools.docs.markdown import NOTICE, escape_cell, format_code, format_table

HEAD = """# Parameters

Every parameter of `template.yaml`, in the groups that the CloudFormation console shows. Set a parameter with
`sam deploy --parameter-overrides NAME=VALUE …` or in `samconfig.toml`. [Deploy](../how-to/deploy.md) says which ones
to think about first.
"""


def render_parameters(template: dict[str, Any]) -> str:
    """Return the page."""
    lines = [NOTICE.format(source="template.yaml"), "", HEAD]
    parameters = template["Parameters"]
    for group in template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]:
        lines += [f"## {group['Label']['default']}", ""]
        lines += format_table(
            ("parameter", "default", "description", "allowed values"),
            (_format_row(name, parameters[name]) for name in group["Parameters"]),
        )
        lines.append("")
    lines += [
        "## Outputs",
        "",
        "What the stack reports when it is deployed (`aws cloudformation describe-stacks`).",
        "",
    ]
    lines += format_table(
        ("output", "description", "only with"),
        (
            (
                format_code(name),
                escape_cell(output["Description"]),
                format_code(output["Condition"]) if "Condition" in output else "",
            )
            for name, output in template["Outputs"].items()
        ),
    )
    return "\n".join(lines) + "\n"


def _format_row(name: str, parameter: dict[str, Any]) -> tuple[str, str, str, str]:
    default = str(parameter.get("Default", ""))
    return (
        format_code(name),
        format_code(default) if default else "empty",
        escape_cell(parameter["Description"]),
        _format_allowed_values(parameter),
    )


def _format_allowed_values(parameter: dict[str, Any]) -> str:
    if "AllowedValues" in parameter:
        return ", ".join(format_code(str(value)) if str(value) else "empty" for value in parameter["AllowedValues"])
    if "ConstraintDescription" in parameter:
        return escape_cell(parameter["ConstraintDescription"].removeprefix("must be ").removesuffix("."))
    return ""
