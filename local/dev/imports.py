"""Import every module of a folder, and name the first that fails: python imports.py FOLDER.

It runs in a process of its own, whose environment is that of the functions, and imports the standard library only. A
fault is one line on standard output: file, line, and what Python says.
"""

import importlib
import sys
import traceback
from pathlib import Path


def find_fault(folder: Path) -> str:
    """The fault of the first module that cannot be imported, or an empty string."""
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if parts[-1] == "__main__":
            continue
        try:
            importlib.import_module(".".join(part for part in parts if part != "__init__"))
        except Exception as error:  # noqa: BLE001  a module may raise anything
            return describe_fault(error, folder)
    return ""


def describe_fault(error: Exception, folder: Path) -> str:
    """`FILE:LINE: what is wrong` for the last line of the folder that took part."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(folder)
    ]
    place = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
    return f"{place}{type(error).__name__}: {error}"


if __name__ == "__main__":
    source = Path(sys.argv[1])
    sys.path.insert(0, str(source))
    fault = find_fault(source)
    print(fault)
    sys.exit(1 if fault else 0)
