"""The environment variables of a Lambda function, for tests and benchmarks that run one outside a stack."""

import msgspec

from sluice import settings

# The cache's settings are not among them: that they are there says that there is a cache.
_SETTING_VALUES = {
    "STREAM_NAME": "writes",
    "BUFFER_SECONDS": "60",
    "WAIT_SECONDS": "15",
    "STALE_SECONDS": "86400",
    "SIGN_IN_URL": "https://sign-in.example.com",
    "CLIENT_KEYS": "none",
    "DATABASE_HOST": "127.0.0.1",
    "DATABASE_PORT": "9",
    "DATABASE_NAME": "sluice",
    "DATABASE_SECRET_ARN": "arn:reader",
    "REPLICA_HOST": "127.0.0.1",
    "REPLICA_PORT": "9",
    "READER_SECRET_ARN": "arn:reader",
    "LOADER_SECRET_ARN": "arn:loader",
    "BATCH_BUCKET": "batches",
    "ARCHIVE_BUCKET": "archive",
    "LOAD_CONCURRENCY": "4",
}


def build_lambda_environment(**overrides: str) -> dict[str, str]:
    """What a function finds, whichever it is, and more or other variables."""
    return {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "POWERTOOLS_SERVICE_NAME": "sluice",
        "POWERTOOLS_METRICS_NAMESPACE": "Sluice",
        **{name: _SETTING_VALUES[name] for name in _list_setting_names()},
        **overrides,
    }


def _list_setting_names() -> list[str]:
    kinds = [one for one in vars(settings).values() if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    fields = [field.encode_name for kind in kinds for field in msgspec.structs.fields(kind)]
    cache = {field.encode_name for field in msgspec.structs.fields(settings.CacheSettings)}
    return sorted(set(fields) - cache)
