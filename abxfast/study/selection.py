"""Which recordings an experiment takes, held against the manifest, the recordings and the encoders before any work."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from abxfast import audio
from abxfast.audio import END_SLACK_S, MAX_WHOLE_S
from abxfast.encoders import open_encoder
from abxfast.errors import AudioError, EncoderError, TaskError
from abxfast.manifest import Item, Manifest, load_manifest
from abxfast.scoring import make_cells
from abxfast.study.toml_lines import suggest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from abxfast.encoders import EncoderInfo
    from abxfast.study.config import Experiment, Study

OWN = ("recording", "item")
"""Names that every row has besides its metadata."""
_MOSTLY = 0.5


@dataclass(frozen=True)
class Selection:
    """What one experiment compares.

    Attributes
    ----------
    experiment : Experiment
    items : tuple of Item
        Rows of the manifest, in its order.
    left_out : tuple of str
        Items that were selected but lack a value that the experiment needs.
    seconds : float
        Of their audio, as far as headers tell.
    """

    experiment: Experiment
    items: tuple[Item, ...]
    left_out: tuple[str, ...]
    seconds: float

    @property
    def recordings(self) -> tuple[str, ...]:
        """The recordings, in the order of the manifest."""
        return tuple(dict.fromkeys(item.recording for item in self.items))


@dataclass(frozen=True)
class EncoderSummary:
    """An encoder that has shown that it keeps the contract, and was closed again: a study may name several large ones.

    Attributes
    ----------
    path : Path
    info : EncoderInfo
    sha256 : str
        Of the file.
    dim : int
    """

    path: Path
    info: EncoderInfo
    sha256: str
    dim: int


@dataclass(frozen=True)
class ResolvedStudy:
    """A study and all that it is about, checked against each other.

    Attributes
    ----------
    study : Study
    manifest : Manifest
    files : dict of str to AudioInfo or None
        By recording; None where the header cannot be read: the embedding says why.
    seconds : dict of str to float
        By item; 0 where the header does not tell.
    encoders : dict of str to Known
        By the name that the study gives it.
    variants : dict of str to tuple of str
        Of each encoder.
    selections : tuple of Selection
    """

    study: Study
    manifest: Manifest
    files: dict[str, audio.AudioInfo | None]
    seconds: dict[str, float]
    encoders: dict[str, EncoderSummary]
    variants: dict[str, tuple[str, ...]]
    selections: tuple[Selection, ...]


def resolve(study: Study, provider: str = "auto") -> ResolvedStudy:
    """Look at all that a study names, and check that it can be carried out.

    Raises
    ------
    AbxfastError
        With the line of the study file, where an experiment selects nothing, ON has one value, a column is missing or
        mostly empty, a length is longer than every recording, or an encoder lacks a variant.
    """
    manifest = load_manifest(study.source)
    files = {item.recording: item.path for item in manifest.items}
    probed = {recording: _probe(path) for recording, path in files.items()}
    seconds = {item.item: _seconds(item, probed[item.recording]) for item in manifest.items}
    selections = tuple(_select(study, experiment, manifest, seconds) for experiment in study.experiments)
    encoders = _encoders(study, provider)
    variants = {name: _variants(study, encoder) for name, encoder in encoders.items()}
    for pattern in study.variants:
        if pattern != "default" and not any(_matches(pattern, encoder) for encoder in encoders.values()):
            known = [variant for encoder in encoders.values() for variant in encoder.info.variants]
            raise study.document.error(
                ("study", "variants"), f"variants: no encoder has {pattern!r}; {suggest(pattern, known)}"
            )
    return ResolvedStudy(study, manifest, probed, seconds, encoders, variants, selections)


def value_of(item: Item, column: str) -> str | None:
    """Give the value of a column for a row of the manifest."""
    return {"recording": item.recording, "item": item.item}.get(column) or item.labels.get(column)


def _probe(path: Path) -> audio.AudioInfo | None:
    try:
        return audio.probe(path)
    except AudioError:
        return None


def _seconds(item: Item, info: audio.AudioInfo | None) -> float:
    whole = info.duration_s if info else 0.0
    end = min(item.end_s, whole) if item.end_s is not None and whole else item.end_s or whole
    return max(0.0, end - (item.start_s or 0.0))


def _select(study: Study, experiment: Experiment, manifest: Manifest, seconds: Mapping[str, float]) -> Selection:
    _check_columns(study, experiment, manifest)
    items = _where(study, experiment, manifest)
    needed = (*experiment.task.labels, *experiment.different, *experiment.classify)
    for column in needed:
        empty = [item for item in items if value_of(item, column) is None]
        if len(empty) > _MOSTLY * len(items):
            raise study.document.error(
                (*experiment.key, _key_of(experiment, column)),
                f"column {column!r} is empty in {len(empty)} of the {len(items)} rows that [experiment."
                f"{experiment.name}] selects (first: {empty[0].origin}); fill it in, or narrow where",
            )
    whole = [all(value_of(item, column) is not None for column in needed) for item in items]
    kept = tuple(item for item, good in zip(items, whole, strict=True) if good)
    left_out = tuple(item.item for item, good in zip(items, whole, strict=True) if not good)
    selection = Selection(experiment, kept, left_out, sum(seconds[item.item] for item in kept))
    _check_task(study, selection)
    _check_classify(study, selection)
    _check_lengths(study, selection, seconds)
    return selection


def _key_of(experiment: Experiment, column: str) -> str:
    task = experiment.task
    places = {"on": (task.on,), "by": task.by, "across": task.across, "different": experiment.different}
    return next((key for key, columns in places.items() if column in columns), "classify")


def _check_columns(study: Study, experiment: Experiment, manifest: Manifest) -> None:
    known = (*OWN, *manifest.columns)
    wanted = [(_key_of(experiment, column), column) for column in (*experiment.task.labels, *experiment.different)]
    wanted += [("classify", column) for column in experiment.classify]
    wanted += [("where", column) for column, _ in experiment.where]
    for key, column in wanted:
        if column not in known:
            place = (*experiment.key, key, column) if key == "where" else (*experiment.key, key)
            raise study.document.error(
                place, f"{key}: {study.source} has no column {column!r}; {suggest(column, known)}"
            )


def _where(study: Study, experiment: Experiment, manifest: Manifest) -> list[Item]:
    items = list(manifest.items)
    for column, values in experiment.where:
        place = (*experiment.key, "where", column)
        there = Counter(value_of(item, column) for item in manifest.items)
        for value in values:
            if value not in there:
                known = [value for value in there if value is not None]
                raise study.document.error(
                    place, f"where: no row of {study.source} has {column} = {value!r}; {suggest(value, known)}"
                )
        items = [item for item in items if value_of(item, column) in values]
        if not items:
            raise study.document.error(
                place,
                f"[experiment.{experiment.name}] selects nothing: no row of {study.source} meets all of where "
                f"(none is left at {column} = {', '.join(values)}); take a condition out",
            )
    return items


def _check_task(study: Study, selection: Selection) -> None:
    experiment, task = selection.experiment, selection.experiment.task
    values = Counter(value_of(item, task.on) for item in selection.items)
    if len(values) < 2:  # noqa: PLR2004
        found = f"the one value {next(iter(values))!r}" if values else "no value"
        raise study.document.error(
            (*experiment.key, "on"),
            f"on = {task.on!r} has {found} in the {len(selection.items)} rows that [experiment.{experiment.name}] "
            "selects; two at least are needed to tell apart: widen where, or take another column",
        )
    try:
        make_cells(task, {name: [value_of(item, name) for item in selection.items] for name in task.labels})
    except TaskError as error:
        raise study.document.error((*experiment.key, "on"), f"[experiment.{experiment.name}] {error}") from error


def _check_classify(study: Study, selection: Selection) -> None:
    experiment = selection.experiment
    for column in experiment.classify:
        labels: dict[str, str | None] = {}
        for item in selection.items:
            if labels.setdefault(item.recording, value_of(item, column)) != value_of(item, column):
                raise study.document.error(
                    (*experiment.key, "classify"),
                    f"classify: recording {item.recording!r} has two values of {column!r} ({item.origin}); "
                    "a recording is classified as a whole",
                )
        if len(set(labels.values())) < 2:  # noqa: PLR2004
            raise study.document.error(
                (*experiment.key, "classify"),
                f"classify: all recordings of [experiment.{experiment.name}] have one {column!r}; take it out",
            )


def _check_lengths(study: Study, selection: Selection, seconds: Mapping[str, float]) -> None:
    known = [(seconds[item.item], item.item) for item in selection.items]
    if not all(length for length, _ in known):
        return  # a header does not tell: the embedding will
    longest, shortest = max(known), min(known)
    own = (*selection.experiment.key, "snippets")
    key = own if own in study.document.lines else ("study", "snippets")
    for length in selection.experiment.snippets:
        if length is not None and length > longest[0]:
            raise study.document.error(
                key,
                f"snippets has {length:g} s, longer than every row of [experiment.{selection.experiment.name}]: the "
                f"longest is {longest[1]!r}, {longest[0]:.2f} s; take it out, or give this experiment its own snippets",
            )
        if length is None and shortest[0] > MAX_WHOLE_S + END_SLACK_S:
            raise study.document.error(
                key,
                f"snippets has 'whole', which takes rows of {MAX_WHOLE_S:g} s at most; the shortest of [experiment."
                f"{selection.experiment.name}] is {shortest[1]!r}, {shortest[0]:.1f} s; name a length in seconds",
            )


def _encoders(study: Study, provider: str) -> dict[str, EncoderSummary]:
    encoders: dict[str, EncoderSummary] = {}
    names: dict[str, str] = {}
    for name in study.encoders:
        try:
            opened = open_encoder(name, provider)
        except EncoderError as error:
            text = str(error).removeprefix("--encoder: ")
            raise study.document.error(("study", "encoders"), f"encoders: {text}") from error
        encoder = EncoderSummary(opened.path, opened.info, opened.sha256, opened.dim)
        other = names.setdefault(encoder.info.name, name)
        if other != name:
            raise study.document.error(
                ("study", "encoders"),
                f"encoders: {other} and {name} both call themselves {encoder.info.name!r}; the tables could not tell "
                "them apart: take one out, or export it under another name",
            )
        encoders[name] = encoder
    return encoders


def _matches(pattern: str, encoder: EncoderSummary) -> list[str]:
    if pattern == "default":
        return [encoder.info.default_variant]
    return [variant for variant in encoder.info.variants if fnmatchcase(variant, pattern)]


def _variants(study: Study, encoder: EncoderSummary) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(variant for pattern in study.variants for variant in _matches(pattern, encoder)))
    if not found:
        raise study.document.error(
            ("study", "variants"),
            f"variants: encoder {encoder.info.name!r} has none of {', '.join(study.variants)}; it has "
            f'{", ".join(encoder.info.variants)}; name one, or add "default"',
        )
    return found
