"""TOML with the line that each key stands on, so that a message can name it."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abxfast.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Key = tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """A TOML file that was read.

    Attributes
    ----------
    path : Path
    text : str
    content : dict
        As tomllib gives it.
    lines : dict of tuple of str to int
        The line, from 1, on which each table and each key begins.
    """

    path: Path
    text: str
    content: dict[str, Any]
    lines: Mapping[Key, int]

    def error(self, key: Key, message: str) -> StudyError:
        """Give an error that names the line of a key, or of the nearest table around it."""
        for end in range(len(key), 0, -1):
            if key[:end] in self.lines:
                return StudyError(f"{self.path} line {self.lines[key[:end]]}: {message}")
        return StudyError(f"{self.path}: {message}")


def read_toml(path: Path) -> Document:
    """Read a TOML file.

    Raises
    ------
    StudyError
        Where it cannot be read, or is not TOML.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise StudyError(f"{path}: no such file; make one with: abxfast init recordings.csv -o {path.name}") from None
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise StudyError(
            f"{path} line {line}: byte 0x{error.object[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path} {_where(str(error), text)}") from error
    return Document(path, text, content, find_lines(text))


def _where(message: str, text: str) -> str:
    """Turn tomllib's ``what (at line 2, column 5)`` round."""
    found = re.fullmatch(r"(?P<what>.*) \(at line (?P<line>\d+), column (?P<column>\d+)\)", message, re.DOTALL)
    line = int(found["line"]) if found else text.count("\n") + 1
    shown = " ".join(text.split("\n")[line - 1].split())[:60]
    what = found["what"] if found else message.removesuffix(" (at end of document)")
    hint = "check quotes and brackets"
    if not shown.partition("=")[0].isascii():
        hint = 'a name with letters beyond a to z stands in quotes: [experiment."ŋ"]'
    return f"line {line}: is not TOML: {what}; found: {shown or 'the end of the file'}; {hint}"


def find_lines(text: str) -> dict[Key, int]:
    """Give the line on which each table and key of a TOML text begins.

    A statement of TOML ends with a line, and stands by itself: the fewest lines from where it begins that are TOML are
    the statement, whatever strings and brackets it holds.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    found: dict[Key, int] = {}
    table: Key = ()
    first = 0
    while first < len(lines):
        statement: dict[str, Any] = {}
        stop = first
        for stop in range(first + 1, len(lines) + 1):
            try:
                statement = tomllib.loads("\n".join(lines[first:stop]))
            except tomllib.TOMLDecodeError:
                continue
            break
        if lines[first].lstrip().startswith("["):
            table = _header(statement)
            for end in range(1, len(table) + 1):
                found.setdefault(table[:end], first + 1)
        else:
            for key in _keys(statement):
                found.setdefault(table + key, first + 1)
        first = stop
    return found


def _header(statement: Mapping[str, Any]) -> Key:
    key: Key = ()
    inner: Any = statement
    while inner:
        inner = inner[0] if isinstance(inner, list) else inner
        if not inner:
            break
        ((name, inner),) = inner.items()
        key += (name,)
    return key


def _keys(value: Any) -> Iterable[Key]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (name,)
            yield from ((name, *key) for key in _keys(inner))


def suggest(found: str, known: Iterable[str]) -> str:
    """Say which of the known words is meant, or all of them where none is near."""
    known = list(known)
    near = difflib.get_close_matches(found.lower(), [name.lower() for name in known], n=1, cutoff=0.6)
    if near:
        return f"did you mean {next(name for name in known if name.lower() == near[0])!r}?"
    most = 12
    more = f", and {len(known) - most} more" if len(known) > most else ""
    return f"there are: {', '.join(known[:most]) or 'none'}{more}"
