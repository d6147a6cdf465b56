"""Where MariaDB's programs are, and how a data directory is made."""

import getpass
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from local.process import LocalError


def find_program(name: str) -> str:
    """The path of a MariaDB program; Debian keeps the server in a folder that is not on everybody's PATH."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if not found:
        raise LocalError(f"{name} is not installed; run `make setup`, which installs MariaDB where there is an apt.")
    return found


def get_system_user() -> str:
    return getpass.getuser()


def create_data_directories(targets: Sequence[Path], work: Path) -> None:
    """Make each missing target a fresh data directory: installed once, then copied; whole or not at all.

    The only way in is the socket, for the operating system's user that made it. Raises LocalError.
    """
    missing = [target for target in targets if not target.exists()]
    if not missing:
        return
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    template = work / "template"
    log = work / "install.log"
    with log.open("wb") as output:
        done = subprocess.run(
            [
                find_program("mariadb-install-db"),
                "--no-defaults",
                f"--datadir={template}",
                f"--user={get_system_user()}",
                "--auth-root-authentication-method=socket",
                f"--auth-root-socket-user={get_system_user()}",
                "--skip-test-db",
                "--skip-name-resolve",
                f"--tmpdir={work}",
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise LocalError("mariadb-install-db could not make a data directory.", log)
    for target in missing[1:]:
        shutil.copytree(template, work / "copy")
        (work / "copy").rename(_with_parent(target))
    template.rename(_with_parent(missing[0]))
    shutil.rmtree(work)


def _with_parent(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return target
