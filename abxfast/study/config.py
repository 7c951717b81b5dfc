"""The study file: read, and checked key by key before anything else is looked at."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abxfast.audio import make_plans, parse_channel, parse_length
from abxfast.errors import TaskError
from abxfast.scoring import Task, check_standardisation
from abxfast.statistics import DEFAULT_MARGIN
from abxfast.study.keys import EXPERIMENT_KEYS, STUDY_KEYS
from abxfast.study.toml_lines import Document, Key, read_toml
from abxfast.study.toml_table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PERMUTATIONS = 10_000
MAX_PERMUTATIONS = 100_000_000
Where = tuple[tuple[str, tuple[str, ...]], ...]

_NAME = re.compile(r"[\w][\w .+-]*")


@dataclass(frozen=True)
class Experiment:
    """One experiment of a study: which recordings are compared, and how.

    Attributes
    ----------
    name, title : str
    task : Task
    where : tuple of (str, tuple of str)
        Conditions (column, values): a row of the manifest takes part if, in every column, it has one of the values.
    snippets : tuple of float or None
        Snippet lengths in seconds; None means whole items.
    classify : tuple of str
        Columns whose labels are predicted from the scores.
    min_gap_s : float
    different : tuple of str
    max_size_group, max_x_across : int or None
        See `abxfast.score_store`, like the two above.
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
        """Key of the experiment's table in the study file."""
        return ("experiment", self.name)


@dataclass(frozen=True)
class Study:
    """The content of a study file.

    Attributes
    ----------
    document : Document
        The file itself, for error messages and for the copy in the results folder.
    title : str
    source : Path
        Manifest, or folder of recordings, relative to the working directory.
    encoders : tuple of str
        Names, or paths relative to the working directory.
    snippets : tuple of float or None
        Snippet lengths in seconds; None means whole items.
    variants : tuple of str
        Names or patterns; ``default`` stands for the default variant of each encoder.
    hop_s : float or None
    remainder, channel : str
        See `abxfast.embed`.
    stores : dict of str to Path
        Stores to use instead of those in the results folder, by encoder.
    seed, permutations : int
    margin : float
        Distance from 0.5 within which a score counts as equivalent to chance.
    standardise : str or None
        See `abxfast.score_store`.
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
    margin: float
    standardise: str | None
    experiments: tuple[Experiment, ...]

    @property
    def sha256(self) -> str:
        """SHA-256 of the file's text."""
        return hashlib.sha256(self.document.text.encode()).hexdigest()

    @property
    def source_as_written(self) -> str:
        """The manifest or folder, as the file spells it."""
        table = self.document.content["study"]
        return str(table.get("manifest", table.get("recordings")))


def read_study(path: Path) -> Study:
    """Read and check a study file.

    Raises
    ------
    StudyError
        With file and line, if a key is unknown or its value is not valid.
    """
    document = read_toml(path)
    root = Table(document, (), document.content)
    root.check_keys(("study", "experiment"))
    table = root.table("study", required=True)
    table.check_keys(STUDY_KEYS)
    source = _source(table, path.parent)
    lengths = _lengths(table) or (10.0,)
    encoders = table.texts("encoders", nonempty=True) or ("mfcc",)
    permutations = table.integer("permutations", minimum=0, maximum=MAX_PERMUTATIONS)
    margin = table.number("margin", minimum=0.001)
    if margin is not None and margin >= 0.5:  # noqa: PLR2004
        raise table.error("margin", f"margin = {margin:g}: expected a distance from a score of 0.5, below 0.5")
    study = Study(
        document=document,
        title=table.text("title") or path.stem,
        source=source,
        encoders=tuple(_resolve_encoder(path.parent, name) for name in encoders),
        snippets=lengths,
        variants=table.texts("variants", nonempty=True) or ("default",),
        hop_s=table.number("hop", minimum=0.001),
        remainder=table.text("remainder") or "drop",
        channel=_channel(table),
        stores=_stores(table, path.parent, encoders),
        seed=table.integer("seed", minimum=0) or 0,
        permutations=PERMUTATIONS if permutations is None else permutations,
        margin=DEFAULT_MARGIN if margin is None else margin,
        standardise=table.text("standardise"),
        experiments=_experiments(root, lengths),
    )
    table.translate("standardise", lambda: check_standardisation(study.standardise))
    table.translate("remainder", lambda: make_plans([10.0], study.hop_s, study.remainder))
    return study


def _source(table: Table, folder: Path) -> Path:
    manifest, recordings = table.text("manifest"), table.text("recordings")
    if (manifest is None) == (recordings is None):
        found = "both" if manifest else "neither"
        raise table.error("recordings", f"[study]: expected either manifest = or recordings =, found {found}")
    path = folder / (manifest or recordings or "")
    if not path.exists():
        name = "manifest" if manifest else "recordings"
        raise table.error(name, f"{name} = {str(manifest or recordings)!r}: no such file or folder in {folder}")
    return path


def _resolve_encoder(folder: Path, name: str) -> str:
    """Return the path of an encoder if the name is a path relative to the study file; otherwise, the name."""
    path = folder / name
    return str(path) if path.is_file() else name


def _channel(table: Table) -> str:
    value = table.content.get("channel", "mix")
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    table.translate("channel", lambda: parse_channel(text))
    return text


def _stores(table: Table, folder: Path, encoders: Iterable[str]) -> dict[str, Path]:
    stores = table.table("stores")
    stores.check_keys(encoders)
    return {_resolve_encoder(folder, name): folder / (stores.text(name) or "") for name in stores.content}


def _lengths(table: Table) -> tuple[float | None, ...]:
    value = table.content.get("snippets", [])
    if value == [] and "snippets" in table.content:
        raise table.error("snippets", "snippets = [] is empty; name at least one length in seconds: snippets = [1, 10]")
    lengths = []
    for length in value if isinstance(value, list) else [value]:
        if isinstance(length, bool) or not isinstance(length, int | float | str):
            raise table.error("snippets", f"snippets has {length!r}, expected seconds, or 'whole'")
        try:
            lengths.append(parse_length(length))
        except TaskError:
            raise table.error(
                "snippets",
                f"snippets has {length!r}, expected seconds above 0.001, or 'whole': snippets = [1, 10]",
            ) from None
    return tuple(dict.fromkeys(lengths))


def _experiments(root: Table, lengths: tuple[float | None, ...]) -> tuple[Experiment, ...]:
    tables = root.table("experiment")
    if not tables.content:
        raise root.error("study", 'no experiment; add one, such as [experiment.recordings] with on = "recording"')
    return tuple(_experiment(tables.table(name), name, lengths) for name in tables.content)


def _experiment(table: Table, name: str, study_lengths: tuple[float | None, ...]) -> Experiment:
    if not _NAME.fullmatch(name):
        raise table.error(
            "", f"experiment {name!r}: a name may only have letters, digits, spaces, and the characters . + -"
        )
    table.check_keys(EXPERIMENT_KEYS)
    task = table.translate(
        "on", lambda: Task(table.text("on") or "recording", table.texts("by"), table.texts("across"))
    )
    lengths = _lengths(table) or study_lengths
    for length in lengths:
        if length not in study_lengths:
            known = ", ".join("whole" if known is None else f"{known:g}" for known in study_lengths)
            raise table.error(
                "snippets",
                f"snippets has {'whole' if length is None else f'{length:g}'}, which is not in [study] ({known}); "
                "add it there",
            )
    return Experiment(
        name=name,
        title=table.text("title") or "",
        task=task,
        where=_where(table.table("where")),
        snippets=lengths,
        classify=table.texts("classify"),
        min_gap_s=table.number("min_gap_s", minimum=0.0) or 0.0,
        different=table.texts("different"),
        max_size_group=table.integer("max_size_group", minimum=1),
        max_x_across=table.integer("max_x_across", minimum=1),
    )


def _where(table: Table) -> Where:
    conditions = []
    for column, condition in table.content.items():
        values = condition if isinstance(condition, list) else [condition]
        for value in values:
            if isinstance(value, bool) or not isinstance(value, str | int | float | dt.date):
                raise table.error(column, f"where: {column} = {value!r}, expected a text or a list of texts")
        if not values:
            raise table.error(column, f"where: {column} = [] selects nothing; name a value")
        conditions.append((column, tuple(str(value) for value in values)))
    return tuple(conditions)
