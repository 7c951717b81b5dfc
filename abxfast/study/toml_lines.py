"""TOML with the line number of every table and key, for error messages."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abxfast.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

Key = tuple[str, ...]

_MAX_SUGGESTED = 12
"""Known names that a message lists when none resembles the unknown one."""


@dataclass(frozen=True)
class Document:
    """A parsed TOML file.

    Attributes
    ----------
    path : Path
    text : str
    content : dict
        As `tomllib.loads` returns it.
    lines : dict of tuple of str to int
        First line, counted from 1, of each table and each key.
    """

    path: Path
    text: str
    content: dict[str, Any]
    lines: Mapping[Key, int]

    def error(self, key: Key, message: str) -> StudyError:
        """Return an error that names the line of a key, or of the innermost table around it that has a line."""
        for end in range(len(key), 0, -1):
            if key[:end] in self.lines:
                return StudyError(f"{self.path} line {self.lines[key[:end]]}: {message}")
        return StudyError(f"{self.path}: {message}")


def read_toml(path: Path) -> Document:
    """Read a TOML file.

    Raises
    ------
    StudyError
        If it cannot be read, or is not TOML.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would wait forever
            raise StudyError(f"{path}: is not a regular file; save the study as one")
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise StudyError(f"{path}: no such file; `abxfast.study.write_study` makes one") from None
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
        raise StudyError(f"{path} {_describe_syntax_error(str(error), text)}") from error
    except (RecursionError, ValueError) as error:  # thousands of brackets; an integer of thousands of digits
        raise StudyError(
            f"{path}: is no study ({error}); write it by hand, or with `abxfast.study.write_study`"
        ) from error
    return Document(path, text, content, find_lines(text))


def _describe_syntax_error(message: str, text: str) -> str:
    """Reword a message of tomllib, ``… (at line 2, column 5)``: the line first, then its content and a hint."""
    match = re.fullmatch(r"(?P<problem>.*) \(at line (?P<line>\d+), column (?P<column>\d+)\)", message, re.DOTALL)
    line = int(match["line"]) if match else text.count("\n") + 1
    problem = match["problem"] if match else message.removesuffix(" (at end of document)")
    excerpt = " ".join(text.split("\n")[line - 1].split())[:60]
    hint = "check quotes and brackets"
    if not excerpt.partition("=")[0].isascii():
        hint = 'a name with letters other than a to z needs quotes: [experiment."ŋ"]'
    return f"line {line}: is not TOML: {problem}; found: {excerpt or 'the end of the file'}; {hint}"


def find_lines(text: str) -> dict[Key, int]:
    """Return the line on which each table and key of a TOML text begins.

    A statement of TOML ends at the end of a line and is valid TOML by itself. So the statement that begins on a line is
    the shortest run of lines from there that parses, whatever strings and brackets it contains.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    first_lines: dict[Key, int] = {}
    table: Key = ()
    start = 0
    while start < len(lines):
        statement: dict[str, Any] = {}
        stop = start
        for stop in range(start + 1, len(lines) + 1):
            try:
                statement = tomllib.loads("\n".join(lines[start:stop]))
            except tomllib.TOMLDecodeError:
                continue
            break
        if lines[start].lstrip().startswith("["):
            table = _header(statement)
            for end in range(1, len(table) + 1):
                first_lines.setdefault(table[:end], start + 1)
        else:
            for key in _keys(statement):
                first_lines.setdefault(table + key, start + 1)
        start = stop
    return first_lines


def _header(statement: Mapping[str, Any]) -> Key:
    """Return the name of the table that a header opens."""
    key: Key = ()
    inner: Any = statement
    while inner:
        inner = inner[0] if isinstance(inner, list) else inner
        if not inner:
            break
        ((name, inner),) = inner.items()
        key += (name,)
    return key


def _keys(value: Any) -> Iterator[Key]:
    """Yield every key in a value, each after the keys that it is inside of."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (name,)
            yield from ((name, *key) for key in _keys(inner))


def suggest(name: str, known: Iterable[str]) -> str:
    """Return a hint for an unknown name: the known name that resembles it, or a list of the known names."""
    known = list(known)
    close = difflib.get_close_matches(name.lower(), [other.lower() for other in known], n=1, cutoff=0.6)
    if close:
        return f"did you mean {next(other for other in known if other.lower() == close[0])!r}?"
    more = f", and {len(known) - _MAX_SUGGESTED} more" if len(known) > _MAX_SUGGESTED else ""
    return f"expected one of: {', '.join(known[:_MAX_SUGGESTED]) or 'none'}{more}"
