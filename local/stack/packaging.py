"""The built package of a local stack: built once for each state of the sources, then copied with the stack's own CA.

`sam build` runs when anything but the functions' own modules changed. Otherwise the changed modules replace those in
the package (ADR-0131).
"""

import fcntl
import json
import os
import re
import shutil
from pathlib import Path

import yaml

from local.process import LocalError
from local.stack.folder import REPOSITORY, StackFolder
from local.stack.parameters import detect_runtime
from local.stack.sam import BUILT_FUNCTION, build_template, fingerprint_sources, is_built
from local.stack.shared_code import SharedCode

_SHARED_FOLDER = REPOSITORY / ".local" / "package"
_CA_PATH = "python/database_trust/ca.pem"
"""The path of the CA in a trust layer, the only file that differs between stacks."""


def fingerprint_package(ca: Path, parameters: dict[str, str]) -> str:
    """A hash of everything that goes into the package of a stack with this CA."""
    return fingerprint_sources(ca.read_bytes(), *_encode_build_parameters(parameters))


def _encode_build_parameters(parameters: dict[str, str]) -> tuple[bytes, bytes]:
    return parameters["Runtime"].encode(), parameters["Architecture"].encode()


def make_package(folder: StackFolder, ca: Path, parameters: dict[str, str]) -> None:
    """Fill `folder.build`. Raises LocalError with the log of the build."""
    _SHARED_FOLDER.mkdir(parents=True, exist_ok=True)
    with (_SHARED_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = _SHARED_FOLDER / "build"
        code = SharedCode(built / BUILT_FUNCTION)
        fingerprint_file = _SHARED_FOLDER / "fingerprint"
        current = [fingerprint_sources(*_encode_build_parameters(parameters), select=is_built), code.fingerprint()]
        previous = fingerprint_file.read_text().split() if fingerprint_file.exists() else []
        if current != previous:
            # While the package changes it has no fingerprint: after an interruption the next build starts afresh.
            fingerprint_file.unlink(missing_ok=True)
            if current[:1] == previous[:1] and code.is_packed() and parameters["Runtime"] == detect_runtime():
                code.refresh()
            else:
                if not previous:
                    # An interrupted build may have left an incomplete dependency, which SAM would reuse.
                    _delete_build_caches()
                build_template(built, folder.log_path("build"), parameters, ca=ca, cached=True)
                _pack(built)
            fingerprint_file.write_text("\n".join(current))
        _copy_package(built, folder, ca, parameters)


def _copy_package(built: Path, folder: StackFolder, ca: Path, parameters: dict[str, str]) -> None:
    """Copy a built package, of which only the code may differ from what the stack has: then only that is copied."""
    # The template of the copy has the path of the checkout.
    others = (str(built).encode(), ca.read_bytes(), *_encode_build_parameters(parameters))
    current = fingerprint_sources(*others, select=is_built)
    marker, archive = folder.build / "fingerprint", get_code_archive(folder)
    if marker.exists() and marker.read_text() == current:
        SharedCode(folder.build / BUILT_FUNCTION).refresh_folder()
        new = archive.with_suffix(".new")
        new.unlink(missing_ok=True)
        _link_or_copy(str(built / archive.name), str(new))
        new.replace(archive)
        return
    shutil.rmtree(folder.build, ignore_errors=True)
    shutil.copytree(built, folder.build, copy_function=_link_or_copy)
    _resolve_source_paths(folder.build / "template.yaml", built)
    _install_ca(folder.build, ca)
    marker.write_text(current)


def get_code_archive(folder: StackFolder) -> Path:
    """The zip file with the code of all functions, in a package that `make_package` made."""
    return folder.build / f"{BUILT_FUNCTION}.zip"


def _delete_build_caches() -> None:
    for path in (_SHARED_FOLDER / "build", _SHARED_FOLDER / "cache", REPOSITORY / ".aws-sam" / "deps"):
        shutil.rmtree(path, ignore_errors=True)
    (_SHARED_FOLDER / "build.toml").unlink(missing_ok=True)


def _pack(package: Path) -> None:
    """Put the code that all stacks share into zip files, and write the template as JSON, which SAM reads faster.

    At each deploy, SAM packs a folder once for each function that names it, and parses the template five times.
    """
    template = package / "template.yaml"
    text = template.read_text()
    for folder in (entry for entry in package.iterdir() if entry.is_dir() and not (entry / _CA_PATH).exists()):
        text, uses = re.subn(rf"(?m)^( +(?:Code|Content)Uri: ){re.escape(folder.name)}$", r"\g<0>.zip", text)
        if uses and folder.name == BUILT_FUNCTION:
            SharedCode(folder).pack()
        elif uses:
            shutil.make_archive(str(folder), "zip", folder)
    template.write_text(json.dumps(yaml.safe_load(text)))


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _resolve_source_paths(template: Path, built: Path) -> None:
    """Replace the relative paths of sources by absolute ones: the template was written for another folder."""
    text = re.sub(r'(?<=: ")\.\./[^"]+', lambda match: str((built / match[0]).resolve()), template.read_text())
    template.unlink()
    template.write_text(text)


def _install_ca(package: Path, ca: Path) -> None:
    """Replace the CA in the trust layer, which is the CA of the stack that was built first."""
    bundles = list(package.glob(f"*/{_CA_PATH}"))
    if not bundles:
        raise LocalError(f"The built package has no trust layer with {_CA_PATH}.")
    for bundle in bundles:
        bundle.unlink()
        shutil.copyfile(ca, bundle)
