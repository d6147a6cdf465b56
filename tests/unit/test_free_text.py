"""What the classes say of free text, read from their source as deployments do, and from the classes themselves."""

import re
from pathlib import Path

import pytest

from local.stack.folder import REPOSITORY
from local.stack.parameters import choose_parameters
from ops.errors import UsageError
from ops.free_text import PARAMETER, add_free_text
from ops.template import read_template
from sluice.model.resource import load_resources

CLASS = """
from sluice.model.resource import Item, resource

@resource({arguments})
class Remark(Item):
    text: str
"""


def write_class(folder: Path, arguments: str) -> Path:
    (folder / "remarks.py").write_text(CLASS.format(arguments=arguments))
    return folder


def test_the_source_says_what_the_classes_say() -> None:
    declared = [name for name, resource in load_resources().items() if resource.free_text]
    named = add_free_text({}, REPOSITORY / "src" / "resources").get(PARAMETER, "")
    assert sorted(filter(None, named.split(","))) == sorted(declared)
    assert choose_parameters({PARAMETER: "x"})[PARAMETER].split(",") == ["x", *declared]


@pytest.mark.parametrize(
    ("arguments", "collections"),
    [('"remarks", free_text=True', "remarks"), ('"remarks", free_text=False', None), ('"remarks"', None)],
)
def test_the_parameter_has_what_the_template_takes(tmp_path: Path, arguments: str, collections: str | None) -> None:
    value = add_free_text({}, write_class(tmp_path, arguments)).get(PARAMETER)
    assert value == collections
    pattern = read_template(REPOSITORY / "template.yaml")["Parameters"][PARAMETER]["AllowedPattern"]
    assert re.fullmatch(pattern, value or "")


def test_a_class_that_leaves_it_open_is_one_sentence(tmp_path: Path) -> None:
    for arguments in ('"remarks", free_text=HAS', "NAME, free_text=True"):
        with pytest.raises(UsageError, match=r"src/resources/remarks.py:4: free_text and the collection"):
            add_free_text({}, write_class(tmp_path, arguments))
