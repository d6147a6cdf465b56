"""The words of the repository: names in Python files, and texts that people read."""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = ROOT / "docs/reference/glossary.md"
CODE = ("src/", "ops/", "local/", "bench/", "layers/", "testkit/", "tools/")
TEXTS = ("docs/", "statemachines/", "events/")
TEXT_FILES = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "template.yaml",
    "samconfig.toml",
    "Makefile",
)
_PROSE = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


@dataclass(frozen=True)
class Rule:
    """A word that is not used, what is used instead, and where this holds: name, part, text."""

    word: str
    instead: str
    places: frozenset[str]


@dataclass(frozen=True)
class Place:
    """A file and a line."""

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def read_rules() -> list[Rule]:
    """Read the glossary's table of words that are not used."""
    section = GLOSSARY.read_text().split("## Words that we do not use", 1)[1]
    rows = re.findall(r"^\| `?([^|`]+?)`? \| ([^|]+?) \| ([a-z, ]+) \|$", section, re.MULTILINE)
    return [
        Rule(word, instead, frozenset(part.strip() for part in where.split(",")))
        for word, instead, where in rows
        if word != "not this"
    ]


@cache
def list_files() -> tuple[Path, ...]:
    """List the files of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return tuple(ROOT / name for name in listed if (ROOT / name).is_file())


def _is_in(path: Path, folders: tuple[str, ...]) -> bool:
    return str(path.relative_to(ROOT)).startswith(folders)


@cache
def collect_names() -> tuple[tuple[str, Place], ...]:
    """Collect the name of every module and every name that the code defines."""
    paths = [path for path in list_files() if path.suffix == ".py" and _is_in(path, CODE)]
    modules = ((path.stem, Place(path, 1)) for path in paths)
    defined = ((name, Place(path, line)) for path in paths for name, line in _defined(ast.parse(path.read_text())))
    return (*modules, *defined)


def _defined(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno


@cache
def collect_texts() -> tuple[tuple[str, Place], ...]:
    """Collect every text that people read, line by line."""
    words: list[tuple[str, Place]] = []
    for path in list_files():
        if path.suffix == ".py" and _is_in(path, CODE):
            tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
            for token in tokens:
                if token.type in _PROSE:
                    lines = enumerate(token.string.splitlines(), token.start[0])
                    words += [(text, Place(path, number)) for number, text in lines]
        elif _is_read(path):
            words += [(text, Place(path, number)) for number, text in enumerate(path.read_text().splitlines(), 1)]
    return tuple(words)


def _is_read(path: Path) -> bool:
    if path == GLOSSARY or path.suffix not in {".md", ".json", ".yaml", ".toml", ""}:
        return False
    return _is_in(path, TEXTS) or str(path.relative_to(ROOT)) in TEXT_FILES


def split_name(name: str) -> list[str]:
    """Split a name into its parts, in lower case: `read_LoadMode` into read, load, mode."""
    return [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def find_violations(rule: Rule) -> list[str]:
    """List where a rule is broken."""
    word = rule.word.lower()
    hits = []
    if "name" in rule.places:
        hits += [f"{place}: the name {name}" for name, place in collect_names() if name.strip("_").lower() == word]
    if "part" in rule.places:
        parts = split_name(rule.word)
        hits += [f"{place}: the name {name}" for name, place in collect_names() if _contains(split_name(name), parts)]
    if "text" in rule.places:
        pattern = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])", re.IGNORECASE)
        hits += [f"{place}: {text.strip()}" for text, place in collect_texts() if pattern.search(text)]
    return hits


def _contains(parts: list[str], wanted: list[str]) -> bool:
    return any(parts[at : at + len(wanted)] == wanted for at in range(len(parts) - len(wanted) + 1))
