"""The environment variables of the emulator's process."""

import os
import shutil
from pathlib import Path

REGION = "us-east-1"
PUBLIC_ADDRESSES = "public-addresses.json"
"""The file with the URLs of this machine that stand for public ones, by the beginning that they replace."""
# What `read_minute` reads.
MINUTE_SECONDS = "SLUICE_MINUTE_SECONDS"
# The folders of the database servers and of the cache whose metrics are collected, or nothing.
DATABASE_FOLDER, CACHE_FOLDER = "SLUICE_DATABASE_FOLDER", "SLUICE_CACHE_FOLDER"
# Whether the databases are backed up each night: `yes`, or nothing.
NIGHTLY_BACKUPS = "SLUICE_NIGHTLY_BACKUPS"


def read_minute() -> float:
    """The length of a minute of alarms and metrics in seconds, by default 60."""
    return float(os.environ.get(MINUTE_SECONDS) or 60)


def reset_environment(  # noqa: PLR0913 - one for each part of a stack
    port: int,
    state: Path,
    log_level: str,
    *,
    database: Path | None = None,
    cache: Path | None = None,
    has_nightly_backups: bool = False,
) -> None:
    """Replace os.environ, so that all files are under `state` and of the caller's shell only two variables remain.

    They are MINUTE_SECONDS, and PATH: the emulated RDS must start the same MariaDB as the local stack.

    Call it before MiniStack is imported: its modules read their settings at import.
    """
    scratch, home = state / "tmp", state / "home"
    shutil.rmtree(scratch, ignore_errors=True)
    for folder in (scratch, home, state / "services", state / "objects", state / "logs"):
        folder.mkdir(parents=True, exist_ok=True)
    minute, path = str(read_minute()), os.environ.get("PATH", os.defpath)
    os.environ.clear()
    os.environ.update(
        {
            "PATH": path,
            "HOME": str(home),
            "TMPDIR": str(scratch),
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AUTH": "true",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(state / "services"),
            # `durability.objects` sets it to 1: before its patches MiniStack must not load the objects.
            "S3_PERSIST": "0",
            "S3_DATA_DIR": str(state / "objects"),
            "LOG_LEVEL": log_level,
            "DOCKER_HOST": "unix:///nonexistent/docker.sock",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "CLOUDTRAIL_RECORDING": "0",
            "FUNCTION_LOGS": str(state / "logs"),
            "PUBLIC_ADDRESSES": str(state / PUBLIC_ADDRESSES),
            MINUTE_SECONDS: minute,
            NIGHTLY_BACKUPS: "yes" if has_nightly_backups else "",
            **{name: str(folder) for name, folder in ((DATABASE_FOLDER, database), (CACHE_FOLDER, cache)) if folder},
        }
    )
