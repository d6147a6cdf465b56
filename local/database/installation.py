"""Find MariaDB's programs, and create data directories with them."""

import getpass
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from local.process import LocalError


def find_program(name: str) -> str:
    """The path of a MariaDB program. Debian installs the server in a folder that is not on every user's PATH."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if not path:
        raise LocalError(f"{name} is not installed; run `make setup`, which installs MariaDB on Debian.")
    return path


def get_system_user() -> str:
    return getpass.getuser()


def create_data_directories(targets: Sequence[Path], work: Path) -> None:
    """Create a new data directory at each missing target: install it once, then copy it. A target is complete or
    missing. `work` is a folder for temporary files.

    Only the operating system user that created it can connect, over the socket. Raises LocalError.
    """
    missing = [target for target in targets if not target.exists()]
    if not missing:
        return
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    template = work / "template"
    log = work / "install.log"
    with log.open("wb") as output:
        process = subprocess.run(
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
    if process.returncode != 0:
        raise LocalError("mariadb-install-db could not create a data directory.", log)
    for target in missing[1:]:
        shutil.copytree(template, work / "copy")
        (work / "copy").rename(_create_parent(target))
    template.rename(_create_parent(missing[0]))
    shutil.rmtree(work)


def _create_parent(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return target
