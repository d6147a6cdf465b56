"""The built package of a local stack: built once per state of the sources, then copied with the stack's own CA."""

import fcntl
import json
import os
import re
import shutil
from pathlib import Path

import yaml

from local.process import LocalError
from local.stack.folder import REPOSITORY, StackFolder
from local.stack.sam import build_template, fingerprint_sources

_SHARED = REPOSITORY / ".local" / "package"
_AUTHORITY = "python/database_trust/ca.pem"
"""Where a trust layer keeps the CA: all that stacks have of their own."""


def fingerprint_package(ca: Path, parameters: dict[str, str]) -> str:
    """Changes whenever the package of a stack with this CA would."""
    return fingerprint_sources(ca.read_bytes(), *_facts(parameters))


def _facts(parameters: dict[str, str]) -> tuple[bytes, bytes]:
    return parameters["Runtime"].encode(), parameters["Architecture"].encode()


def make_package(folder: StackFolder, ca: Path, parameters: dict[str, str]) -> None:
    """Fill `folder.build`. Raises LocalError with the log of the build."""
    _SHARED.mkdir(parents=True, exist_ok=True)
    with (_SHARED / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = _SHARED / "build"
        mark = _SHARED / "fingerprint"
        current = fingerprint_sources(*_facts(parameters))
        if not mark.exists() or mark.read_text() != current:
            if mark.exists():
                mark.unlink()
            else:
                # A build that was cut short may have left half of a dependency, which SAM would take for whole.
                _forget()
            build_template(built, folder.log_path("build"), parameters, ca=ca, cached=True)
            _pack(built)
            mark.write_text(current)
        shutil.rmtree(folder.build, ignore_errors=True)
        shutil.copytree(built, folder.build, copy_function=_link_or_copy)
    _name_sources(folder.build / "template.yaml", built)
    _trust(folder.build, ca)


def _forget() -> None:
    for kept in (_SHARED / "build", _SHARED / "cache", REPOSITORY / ".aws-sam" / "deps"):
        shutil.rmtree(kept, ignore_errors=True)
    (_SHARED / "build.toml").unlink(missing_ok=True)


def _pack(package: Path) -> None:
    """Put the code that every stack has in common into zips, and the template into JSON, which SAM reads faster.

    SAM packs a folder anew for each function that names it, and parses the template five times, at each deploy.
    """
    template = package / "template.yaml"
    text = template.read_text()
    for folder in (entry for entry in package.iterdir() if entry.is_dir() and not (entry / _AUTHORITY).exists()):
        text, uses = re.subn(rf"(?m)^( +(?:Code|Content)Uri: ){re.escape(folder.name)}$", r"\g<0>.zip", text)
        if uses:
            shutil.make_archive(str(folder), "zip", folder)
    template.write_text(json.dumps(yaml.safe_load(text)))


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _name_sources(template: Path, built: Path) -> None:
    """Name what the template takes from the sources by its whole path: it was written for another folder."""
    text = re.sub(r'(?<=: ")\.\./[^"]+', lambda found: str((built / found[0]).resolve()), template.read_text())
    template.unlink()
    template.write_text(text)


def _trust(package: Path, ca: Path) -> None:
    """Put this stack's CA where the trust layer has the one of the stack that was built first."""
    found = list(package.glob(f"*/{_AUTHORITY}"))
    if not found:
        raise LocalError(f"The built package has no trust layer with {_AUTHORITY}.")
    for bundle in found:
        bundle.unlink()
        shutil.copyfile(ca, bundle)
