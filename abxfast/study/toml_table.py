"""Typed access to a table of a TOML file; every error names the file and the line."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, TypeVar

from abxfast.errors import AbxfastError, StudyError
from abxfast.study.toml_lines import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from abxfast.study.toml_lines import Document, Key

_Value = TypeVar("_Value")

_KEYS = {
    "hop_s": "hop",
    "encoder": "encoders",
    **{
        name: name
        for name in (
            *("snippets", "remainder", "channel", "on", "by", "across", "min_gap_s", "different"),
            *("max_size_group", "max_x_across", "seed"),
        )
    },
}
"""Key of a study file for each parameter of the Python functions."""
_PARAMETER = re.compile(rf"`(?P<name>{'|'.join(_KEYS)})(?:=(?P<value>[^`]*))?`")


def to_study_keys(message: str) -> str:
    """Return an error message with parameters in backticks replaced by keys of a study file.

    Examples
    --------
    >>> to_study_keys("`hop_s`: found 0, expected seconds above 0; or pass `remainder='keep'`")
    'hop: found 0, expected seconds above 0; or pass remainder = "keep"'
    """

    def replace(match: re.Match[str]) -> str:
        value = match["value"]
        return _KEYS[match["name"]] + ("" if value is None else f" = {value}".replace("'", '"'))

    return _PARAMETER.sub(replace, message)


_MAX_INTEGER = (1 << 31) - 1


class Table:
    """One table of a TOML file.

    Parameters
    ----------
    document : Document
    key : tuple of str
        Name of the table; empty for the file itself.
    content : dict
    """

    def __init__(self, document: Document, key: Key, content: dict[str, Any]) -> None:
        self._document = document
        self._key = key
        self.content = content

    def error(self, name: str, message: str) -> StudyError:
        """Return an error with the line of one of the table's keys."""
        return self._document.error((*self._key, name), message)

    def check_keys(self, known: Iterable[str]) -> None:
        """Raise `StudyError` for a key that is not known."""
        known = list(known)
        for name in self.content:
            if name not in known:
                location = f"in [{'.'.join(self._key)}]" if self._key else "at the top"
                raise self.error(name, f"unknown key {name!r} {location}; {suggest(name, known)}")

    def table(self, name: str, *, required: bool = False) -> Table:
        """Return a table inside this one; empty if it is missing and not required."""
        value = self.content.get(name, None if required else {})
        if not isinstance(value, dict):
            found = "none" if value is None else repr(value)
            raise self.error(name, f"expected a table [{'.'.join((*self._key, name))}], found {found}")
        return Table(self._document, (*self._key, name), value)

    def text(self, name: str) -> str | None:
        """Return a string that is not blank; None if the key is missing."""
        value = self.content.get(name)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise self.error(name, f'{name} = {value!r}, expected a text: {name} = "…"')
        return value

    def texts(self, name: str, *, nonempty: bool = False) -> tuple[str, ...]:
        """Return a list of different strings, for which a single string may stand; empty if the key is missing."""
        value = self.content.get(name, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(text, str) and text.strip() for text in values):
            raise self.error(name, f'{name} = {value!r}, expected a list of texts: {name} = ["…", "…"]')
        if nonempty and name in self.content and not values:
            raise self.error(name, f"{name} = [] is empty; name at least one, or delete the line")
        if len(set(values)) < len(values):
            raise self.error(name, f"{name} has a duplicate: {', '.join(values)}")
        return tuple(values)

    def number(self, name: str, *, minimum: float) -> float | None:
        """Return a finite number of at least `minimum`; None if the key is missing."""
        value = self.content.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not minimum <= value < math.inf:
            raise self.error(name, f"{name} = {value!r}, expected a number, {minimum:g} or more")
        return float(value)

    def integer(self, name: str, *, minimum: int, maximum: int = _MAX_INTEGER) -> int | None:
        """Return an integer from `minimum` to `maximum`; None if the key is missing."""
        value = self.content.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise self.error(name, f"{name} = {value!r}, expected a whole number, {minimum} or more")
        if value > maximum:
            raise self.error(name, f"{name} = {value}, expected {maximum} at most")
        return value

    def translate(self, name: str, function: Callable[[], _Value]) -> _Value:
        """Return what a library function returns; its error becomes one with file, line and keys of the study."""
        try:
            return function()
        except StudyError:
            raise
        except AbxfastError as error:
            raise self.error(name, to_study_keys(str(error))) from error
