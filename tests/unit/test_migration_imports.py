"""The schema libraries stay out of the functions that answer requests and load batches."""

import pkgutil
import subprocess
import sys

import pytest

import sluice.handlers
from testkit.lambda_environment import build_lambda_environment

HEAVY = {"alembic", "sqlalchemy", "mako"}
HOT = sorted({module.name for module in pkgutil.iter_modules(sluice.handlers.__path__)} - {"migrate"})


def imported_by(module: str) -> set[str]:
    """All modules of a fresh process that imported this one."""
    program = f"import sys, {module}; print(*sys.modules)"
    # Some handlers read their settings when they are imported.
    settings = build_lambda_environment(PYTHONPATH=":".join(sys.path), POWERTOOLS_TRACE_DISABLED="1")
    done = subprocess.run(
        [sys.executable, "-c", program], env=settings, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("name", HOT)
def test_a_hot_handler_imports_no_schema_library(name: str) -> None:
    assert imported_by(f"sluice.handlers.{name}") & HEAVY == set()


def test_the_migrate_handler_imports_late_the_modules_that_may_be_missing() -> None:
    assert imported_by("sluice.handlers.migrate") & {*HEAVY, "resources", "sluice.model.resource"} == set()


def test_a_migration_imports_them() -> None:
    assert imported_by("sluice.schema.migration") >= {"alembic", "sqlalchemy"}
