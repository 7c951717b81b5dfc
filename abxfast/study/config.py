"""The study file: what is asked for, checked key by key before anything else is looked at."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from abxfast.audio import make_plans, parse_channel, parse_length
from abxfast.errors import AbxfastError, StudyError, TaskError
from abxfast.scoring import Task
from abxfast.study.toml_lines import Document, Key, read_toml, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_Made = TypeVar("_Made")

PERMUTATIONS = 10_000
Where = tuple[tuple[str, tuple[str, ...]], ...]

_STUDY = (
    *("title", "recordings", "manifest", "encoders", "snippets", "variants", "hop", "remainder", "channel"),
    *("stores", "seed", "permutations"),
)
_EXPERIMENT = (
    *("title", "on", "by", "across", "where", "snippets", "classify", "min_gap_s", "different"),
    *("max_size_group", "max_x_across"),
)
_NAME = re.compile(r"[\w][\w .+-]*")


@dataclass(frozen=True)
class Experiment:
    """One question: which recordings, and how they are compared.

    Attributes
    ----------
    name, title : str
    task : Task
    where : tuple of (column, values)
        Rows of the manifest take part that have one of the values in every column.
    snippets : tuple of float or None
        Lengths in seconds; None is whole items.
    classify : tuple of str
        Columns whose labels are guessed.
    min_gap_s : float
    different : tuple of str
    max_size_group, max_x_across : int or None
    """

    name: str
    title: str
    task: Task
    where: Where
    snippets: tuple[float | None, ...]
    classify: tuple[str, ...]
    min_gap_s: float
    different: tuple[str, ...]
    max_size_group: int | None
    max_x_across: int | None

    @property
    def key(self) -> Key:
        """Where it stands in the file."""
        return ("experiment", self.name)


@dataclass(frozen=True)
class Study:
    """A study file that was read.

    Attributes
    ----------
    document : Document
        For messages, and for the copy in the results.
    title : str
    source : Path
        Folder or manifest, as seen from here.
    encoders : tuple of str
        Names, or paths as seen from here.
    snippets : tuple of float or None
    variants : tuple of str
        Names or patterns; ``default`` is each encoder's own.
    hop_s : float or None
    remainder, channel : str
    stores : dict of str to Path
        Stores to use in place of those in the results folder, by the encoder as the file names it.
    seed, permutations : int
    experiments : tuple of Experiment
    """

    document: Document
    title: str
    source: Path
    encoders: tuple[str, ...]
    snippets: tuple[float | None, ...]
    variants: tuple[str, ...]
    hop_s: float | None
    remainder: str
    channel: str
    stores: dict[str, Path]
    seed: int
    permutations: int
    experiments: tuple[Experiment, ...]

    @property
    def sha256(self) -> str:
        """Of the file's text."""
        return hashlib.sha256(self.document.text.encode()).hexdigest()

    @property
    def source_as_written(self) -> str:
        """The folder or manifest, in the file's own words."""
        table = self.document.content["study"]
        return str(table.get("manifest", table.get("recordings")))


def read_study(path: Path) -> Study:
    """Read and check a study file.

    Raises
    ------
    StudyError
        With file and line, where a key is unknown or its value makes no sense.
    """
    document = read_toml(path)
    root = _Table(document, (), document.content)
    root.known(("study", "experiment"))
    table = root.table("study", required=True)
    table.known(_STUDY)
    source = _source(table, path.parent)
    lengths = _lengths(table) or (10.0,)
    encoders = table.texts("encoders", some=True) or ("mfcc",)
    study = Study(
        document=document,
        title=table.text("title") or path.stem,
        source=source,
        encoders=tuple(_beside(path.parent, name) for name in encoders),
        snippets=lengths,
        variants=table.texts("variants", some=True) or ("default",),
        hop_s=table.number("hop", least=0.001),
        remainder=table.text("remainder") or "drop",
        channel=_channel(table),
        stores=_stores(table, path.parent, encoders),
        seed=table.whole("seed", least=0) or 0,
        permutations=PERMUTATIONS if (n := table.whole("permutations", least=0)) is None else n,
        experiments=_experiments(root, lengths),
    )
    table.translate("remainder", lambda: make_plans([10.0], study.hop_s, study.remainder))
    return study


def _source(table: _Table, folder: Path) -> Path:
    manifest, recordings = table.text("manifest"), table.text("recordings")
    if (manifest is None) == (recordings is None):
        found = "both" if manifest else "neither"
        raise table.error("recordings", f"[study] wants manifest = or recordings =, one of the two; found {found}")
    path = folder / (manifest or recordings or "")
    if not path.exists():
        name = "manifest" if manifest else "recordings"
        raise table.error(name, f"{name} = {str(manifest or recordings)!r}: no such file or folder in {folder}")
    return path


def _beside(folder: Path, name: str) -> str:
    """Give an encoder's path as seen from here, if the name is a path as seen from the study file."""
    path = folder / name
    return str(path) if path.is_file() else name


def _channel(table: _Table) -> str:
    value = table.content.get("channel", "mix")
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    table.translate("channel", lambda: parse_channel(text))
    return text


def _stores(table: _Table, folder: Path, encoders: Iterable[str]) -> dict[str, Path]:
    stores = table.table("stores")
    stores.known(encoders)
    return {_beside(folder, name): folder / (stores.text(name) or "") for name in stores.content}


def _lengths(table: _Table) -> tuple[float | None, ...]:
    value = table.content.get("snippets", [])
    if value == [] and "snippets" in table.content:
        raise table.error("snippets", "snippets names no length; name some, in seconds: snippets = [1, 10]")
    lengths = []
    for length in value if isinstance(value, list) else [value]:
        if isinstance(length, bool) or not isinstance(length, int | float | str):
            raise table.error("snippets", f"snippets has {length!r}, expected seconds, or 'whole'")
        try:
            lengths.append(parse_length(length))
        except TaskError:
            raise table.error(
                "snippets", f"snippets has {length!r}, expected seconds above 0, or 'whole': snippets = [1, 10]"
            ) from None
    return tuple(dict.fromkeys(lengths))


def _experiments(root: _Table, lengths: tuple[float | None, ...]) -> tuple[Experiment, ...]:
    tables = root.table("experiment")
    if not tables.content:
        raise root.error("study", 'no experiment; add one, such as [experiment.recordings] with on = "recording"')
    return tuple(_experiment(tables.table(name), name, lengths) for name in tables.content)


def _experiment(table: _Table, name: str, study_lengths: tuple[float | None, ...]) -> Experiment:
    if not _NAME.fullmatch(name):
        raise table.error("", f"experiment {name!r}: a name has letters, digits, spaces, and . + - only")
    table.known(_EXPERIMENT)
    task = table.translate(
        "on", lambda: Task(table.text("on") or "recording", table.texts("by"), table.texts("across"))
    )
    lengths = _lengths(table) or study_lengths
    for length in lengths:
        if length not in study_lengths:
            known = ", ".join("whole" if known is None else f"{known:g}" for known in study_lengths)
            raise table.error(
                "snippets",
                f"snippets has {'whole' if length is None else f'{length:g}'}, which [study] does not have ({known}); "
                "add it there",
            )
    return Experiment(
        name=name,
        title=table.text("title") or "",
        task=task,
        where=_where(table.table("where")),
        snippets=lengths,
        classify=table.texts("classify"),
        min_gap_s=table.number("min_gap_s", least=0.0) or 0.0,
        different=table.texts("different"),
        max_size_group=table.whole("max_size_group", least=1),
        max_x_across=table.whole("max_x_across", least=1),
    )


def _where(table: _Table) -> Where:
    conditions = []
    for column, value in table.content.items():
        values = value if isinstance(value, list) else [value]
        for one in values:
            if isinstance(one, bool) or not isinstance(one, str | int | float | dt.date):
                raise table.error(column, f"where: {column} = {one!r}, expected a text or a list of texts")
        if not values:
            raise table.error(column, f"where: {column} = [] selects nothing; name a value")
        conditions.append((column, tuple(str(one) for one in values)))
    return tuple(conditions)


class _Table:
    """One table of the file, that knows where it stands."""

    def __init__(self, document: Document, key: Key, content: dict[str, Any]) -> None:
        self._document = document
        self._key = key
        self.content = content

    def error(self, name: str, message: str) -> StudyError:
        return self._document.error((*self._key, name), message)

    def known(self, names: Iterable[str]) -> None:
        names = list(names)
        for name in self.content:
            if name not in names:
                where = f"in [{'.'.join(self._key)}]" if self._key else "at the top"
                raise self.error(name, f"unknown key {name!r} {where}; {suggest(name, names)}")

    def table(self, name: str, *, required: bool = False) -> _Table:
        value = self.content.get(name, None if required else {})
        if not isinstance(value, dict):
            found = "none" if value is None else repr(value)
            raise self.error(name, f"expected a table [{'.'.join((*self._key, name))}], found {found}")
        return _Table(self._document, (*self._key, name), value)

    def text(self, name: str) -> str | None:
        value = self.content.get(name)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise self.error(name, f'{name} = {value!r}, expected a text: {name} = "…"')
        return value

    def texts(self, name: str, *, some: bool = False) -> tuple[str, ...]:
        value = self.content.get(name, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(one, str) and one.strip() for one in values):
            raise self.error(name, f'{name} = {value!r}, expected a list of texts: {name} = ["…", "…"]')
        if some and name in self.content and not values:
            raise self.error(name, f"{name} = [] names nothing; name some, or take the line out")
        if len(set(values)) < len(values):
            raise self.error(name, f"{name} names one thing twice: {', '.join(values)}")
        return tuple(values)

    def number(self, name: str, *, least: float) -> float | None:
        value = self.content.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < math.inf:
            raise self.error(name, f"{name} = {value!r}, expected a number, {least:g} or more")
        return float(value)

    def whole(self, name: str, *, least: int) -> int | None:
        value = self.content.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.error(name, f"{name} = {value!r}, expected a whole number, {least} or more")
        return value

    def translate(self, name: str, make: Callable[[], _Made]) -> _Made:
        """Give what `make` gives; an error of its own gets file and line."""
        try:
            return make()
        except AbxfastError as error:
            if isinstance(error, StudyError):
                raise
            raise self.error(name, str(error)) from error
