"""The environment variables of a Lambda function, for tests and benchmarks that run one outside a stack."""

import msgspec

from sluice import settings

# A value for every setting of every function. A setting without a value is a KeyError, so that none is forgotten.
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
    "READ_ENDPOINTS": "127.0.0.1:9",
    "REPLICA_ENDPOINTS": "127.0.0.1:9",
    "READER_SECRET_ARN": "arn:reader",
    "LOADER_SECRET_ARN": "arn:loader",
    "ADMIN_SECRET_ARN": "arn:admin",
    "PRIMARY_INSTANCE": "sluice-primary",
    "BATCH_BUCKET": "batches",
    "ARCHIVE_BUCKET": "archive",
    "LOAD_CONCURRENCY": "4",
    "SERVICE_URL": "https://service.example.com",
    "TOKEN_URL": "https://sign-in.example.com/oauth2/token",
    "CLIENT_SECRET_ARN": "arn:canary",
    "TRANSFORM_BUFFER_SECONDS": "10",
    "READABLE_SECONDS": "60",
}


def build_lambda_environment(**overrides: str) -> dict[str, str]:
    """The variables that Lambda sets, every setting but those that a function may lack, and the overrides."""
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
    structs = [
        value for value in vars(settings).values() if isinstance(value, type) and issubclass(value, msgspec.Struct)
    ]
    names = {field.encode_name for struct in structs for field in msgspec.structs.fields(struct)}
    # A function has a cache, or the canary a key, when their settings exist: they must be absent here.
    optional = (settings.CacheSettings, settings.ClientKeySettings)
    return sorted(names - {field.encode_name for struct in optional for field in msgspec.structs.fields(struct)})
