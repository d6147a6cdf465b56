"""The programs that a deploy needs: those on the PATH, or else those that `make setup` installs in the checkout."""

import os
import shutil

from ops.aws import REPOSITORY

# The Python with which `sam build` installs packages, and the SAM CLI: in the order of the Makefile.
FOLDERS = (REPOSITORY / ".venv" / "bin", REPOSITORY / ".tools" / "sam" / "bin")


def get_search_path() -> str:
    """The PATH, with the folders of the checkout after it."""
    return os.pathsep.join((os.environ.get("PATH", ""), *map(str, FOLDERS)))


def find_tool(name: str) -> str | None:
    """The path of a program; None when it is not installed."""
    return shutil.which(name, path=get_search_path())
