"""The settings admit no more writes than a Firehose stream takes."""

from pathlib import Path

import pytest

from testkit.translate import Template
from tests.template.quotas import list_excesses


def write_settings(folder: Path, region: str, rate: int | None, raised: int | None = None) -> Path:
    overrides = [] if rate is None else [f"ThrottleRate={rate}"]
    lines = ["version = 0.1", "[live.deploy.parameters]", f"parameter_overrides = {overrides}"]
    lines += [f'region = "{region}"'] if region else []
    lines += ["[live.firehose.parameters]", f"requests_per_second = {raised}"] if raised else []
    path = folder / "samconfig.toml"
    path.write_text("\n".join(lines))
    return path


def test_the_settings_of_this_repository_fit(template: Template) -> None:
    assert list(list_excesses(template)) == []


@pytest.mark.parametrize(
    ("region", "rate", "raised", "largest"),
    [
        ("eu-west-1", 667, None, 666),
        ("eu-west-1", 666, None, None),
        ("eu-central-1", 334, None, 333),
        ("eu-central-1", 333, None, None),
        ("", 334, None, 333),
        ("", None, None, None),
        ("eu-west-1", 1500, 4500, None),
        ("eu-west-1", 1501, 4500, 1500),
    ],
)
def test_three_methods_share_the_quota_of_the_region(
    template: Template, tmp_path: Path, region: str, rate: int | None, raised: int | None, largest: int | None
) -> None:
    excesses = list(list_excesses(template, write_settings(tmp_path, region, rate, raised)))
    assert len(excesses) == (largest is not None)
    assert all(excess.endswith(f"set ThrottleRate to {largest} at most.") for excess in excesses)


def test_a_default_that_is_too_high_is_an_excess(template: Template, tmp_path: Path) -> None:
    template["Parameters"]["ThrottleRate"]["Default"] = 500
    [excess] = list_excesses(template, write_settings(tmp_path, "", None))
    assert "live admits 1,500 writes a second" in excess
