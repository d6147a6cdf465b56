"""The schema libraries stay out of the functions that answer requests and load batches."""

import pkgutil
import subprocess
import sys

import pytest

import sluice.handlers

HEAVY = {"alembic", "sqlalchemy", "mako"}
HOT = sorted({module.name for module in pkgutil.iter_modules(sluice.handlers.__path__)} - {"migrate"})


# Some handlers read their settings as they are imported.
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "POWERTOOLS_TRACE_DISABLED": "1",
    "STREAM_NAME": "stream",
    "BUFFER_SECONDS": "60",
    "WAIT_SECONDS": "15",
    "SIGN_IN_URL": "https://sign-in.example",
    "CLIENT_KEYS": "none",
    "STALE_SECONDS": "86400",
    "DATABASE_HOST": "localhost",
    "DATABASE_PORT": "3306",
    "DATABASE_NAME": "sluice",
    "DATABASE_SECRET_ARN": "arn",
    "BATCH_BUCKET": "batches",
    "ARCHIVE_BUCKET": "archive",
    "LOAD_CONCURRENCY": "4",
    "REPLICA_HOST": "localhost",
    "REPLICA_PORT": "3306",
    "LOADER_SECRET_ARN": "arn",
    "READER_SECRET_ARN": "arn",
}


def imported_by(module: str) -> set[str]:
    """All modules of a fresh process that has imported this one."""
    program = f"import sys, {module}; print(*sys.modules)"
    environment = {"PYTHONPATH": ":".join(sys.path), **ENVIRONMENT}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("name", HOT)
def test_a_hot_handler_imports_no_schema_library(name: str) -> None:
    assert imported_by(f"sluice.handlers.{name}") & HEAVY == set()


def test_the_migrate_handler_imports_late_what_may_be_missing() -> None:
    assert imported_by("sluice.handlers.migrate") & {*HEAVY, "resources", "sluice.registry"} == set()


def test_a_migration_imports_them() -> None:
    assert imported_by("sluice.migrating.migration") >= {"alembic", "sqlalchemy"}
