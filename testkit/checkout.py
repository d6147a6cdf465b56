"""A copy of the checkout, for what changes sources."""

import shutil
from pathlib import Path

from local.stack.folder import REPOSITORY


def copy_checkout(copy: Path) -> Path:
    """Copy the checkout and its build caches."""
    ignored = shutil.ignore_patterns(".git", ".venv", ".tools", ".local", ".aws-sam", "__pycache__", ".*_cache")
    shutil.copytree(REPOSITORY, copy, ignore=ignored)
    for tools in (".venv", ".tools"):
        (copy / tools).symlink_to(REPOSITORY / tools)
    for folder in (".local/package/cache", ".aws-sam/deps"):
        shutil.copytree(REPOSITORY / folder, copy / folder)
    for record in (".local/package/build.toml", ".local/package/fingerprint"):
        (copy / record).write_text((REPOSITORY / record).read_text().replace(str(REPOSITORY), str(copy)))
    return copy
