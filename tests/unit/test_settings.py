"""The environment is read once; what is missing or wrong is named."""

import msgspec
import pytest

from sluice import settings
from sluice.settings import (
    DatabaseSettings,
    Endpoint,
    MigrateSettings,
    StreamSettings,
    parse_endpoints,
    place_databases,
    read_settings,
)
from testkit.lambda_environment import build_lambda_environment

DATABASE = {"DATABASE_HOST": "h", "DATABASE_PORT": "3306", "DATABASE_NAME": "n", "DATABASE_SECRET_ARN": "a"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*DATABASE, "STREAM_NAME", "BUFFER_SECONDS", "LOADER_SECRET_ARN", "READER_SECRET_ARN"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_settings_are_typed(environment: pytest.MonkeyPatch) -> None:
    for name, value in {**DATABASE, "STREAM_NAME": "123", "BUFFER_SECONDS": "60"}.items():
        environment.setenv(name, value)
    assert read_settings(StreamSettings) == StreamSettings("123", 60)
    assert read_settings(DatabaseSettings) == DatabaseSettings("h", 3306, "n", "a")


def test_every_missing_variable_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("STREAM_NAME", "")
    with pytest.raises(RuntimeError, match="STREAM_NAME, BUFFER_SECONDS"):
        read_settings(StreamSettings)
    for name in set(DATABASE) - {"DATABASE_NAME"}:
        environment.setenv(name, DATABASE[name])
    with pytest.raises(RuntimeError, match=r": DATABASE_NAME, LOADER_SECRET_ARN, READER_SECRET_ARN$"):
        read_settings(MigrateSettings)


def test_a_wrong_variable_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("STREAM_NAME", "s")
    environment.setenv("BUFFER_SECONDS", "soon")
    with pytest.raises(RuntimeError, match="BUFFER_SECONDS"):
        read_settings(StreamSettings)


def test_a_function_of_tests_and_measurements_has_every_setting(environment: pytest.MonkeyPatch) -> None:
    for name, value in build_lambda_environment().items():
        environment.setenv(name, value)
    kinds = [
        member for member in vars(settings).values() if isinstance(member, type) and issubclass(member, msgspec.Struct)
    ]
    assert len(kinds) > 5
    for kind in kinds:
        if kind not in {settings.CacheSettings, settings.ClientKeySettings}:
            settings.read_settings(kind)
    assert not settings.has_cache()
    assert not settings.has_client_key()


def test_endpoints_keep_their_order_and_may_be_none() -> None:
    assert parse_endpoints("b.example.com:3306,a:1") == (Endpoint("b.example.com", 3306), Endpoint("a", 1))
    assert parse_endpoints("none") == ()
    assert place_databases("b:3306,a:1", "n", "s") == (
        DatabaseSettings("b", 3306, "n", "s"),
        DatabaseSettings("a", 1, "n", "s"),
    )


@pytest.mark.parametrize("text", ["", "a", "a:", ":1", "a:b", "a:1,", "a:1 ,b"])
def test_an_invalid_endpoint_is_named(text: str) -> None:
    with pytest.raises(RuntimeError, match="is not host:port"):
        parse_endpoints(text)
