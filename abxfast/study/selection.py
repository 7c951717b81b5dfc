"""The rows of the manifest that an experiment compares, and checks that it can be carried out on them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abxfast.audio import END_SLACK_S, MAX_WHOLE_S
from abxfast.errors import TaskError
from abxfast.scoring import make_cells
from abxfast.study.toml_lines import suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abxfast.manifest import Item, Manifest
    from abxfast.study.config import Experiment, Study

BUILT_IN_COLUMNS = ("recording", "item")
"""Columns that every row has besides its metadata."""
_MAX_EMPTY = 0.5
"""Share of selected rows that may lack a value; more is taken for a mistake."""


@dataclass(frozen=True)
class Selection:
    """The rows of the manifest that one experiment compares.

    Attributes
    ----------
    experiment : Experiment
    items : tuple of Item
        Rows, in the order of the manifest.
    left_out : tuple of str
        Items that meet the conditions but lack a value that the experiment needs.
    seconds : float
        Duration of the audio, according to the headers.
    """

    experiment: Experiment
    items: tuple[Item, ...]
    left_out: tuple[str, ...]
    seconds: float

    @property
    def recordings(self) -> tuple[str, ...]:
        """The recordings, in the order of the manifest."""
        return tuple(dict.fromkeys(item.recording for item in self.items))


def select(study: Study, experiment: Experiment, manifest: Manifest, seconds: Mapping[str, float]) -> Selection:
    """Return the rows that an experiment compares.

    Parameters
    ----------
    study : Study
    experiment : Experiment
    manifest : Manifest
    seconds : mapping of str to float
        Duration of each item; 0 if unknown.

    Raises
    ------
    StudyError
        With the line of the study file, if the experiment cannot be carried out on its rows.
    """
    _check_columns(study, experiment, manifest)
    items = _filter_rows(study, experiment, manifest)
    required = (*experiment.task.labels, *experiment.different, *experiment.classify)
    _check_filled(study, experiment, items, required)
    complete = [all(value_of(item, column) is not None for column in required) for item in items]
    kept = tuple(item for item, keep in zip(items, complete, strict=True) if keep)
    left_out = tuple(item.item for item, keep in zip(items, complete, strict=True) if not keep)
    selection = Selection(experiment, kept, left_out, sum(seconds[item.item] for item in kept))
    _check_task(study, selection)
    _check_classify(study, selection)
    _check_lengths(study, selection, seconds)
    return selection


def value_of(item: Item, column: str) -> str | None:
    """Return the value of a column, built in or metadata, in a row of the manifest."""
    return {"recording": item.recording, "item": item.item}.get(column) or item.labels.get(column)


def _key_of(experiment: Experiment, column: str) -> str:
    """Return the key of the experiment that names a column."""
    task = experiment.task
    columns = {"on": (task.on,), "by": task.by, "across": task.across, "different": experiment.different}
    return next((key for key, names in columns.items() if column in names), "classify")


def _check_columns(study: Study, experiment: Experiment, manifest: Manifest) -> None:
    known = (*BUILT_IN_COLUMNS, *manifest.columns)
    named = [(_key_of(experiment, column), column) for column in (*experiment.task.labels, *experiment.different)]
    named += [("classify", column) for column in experiment.classify]
    named += [("where", column) for column, _ in experiment.where]
    for key, column in named:
        if column not in known:
            path = (*experiment.key, key, column) if key == "where" else (*experiment.key, key)
            raise study.document.error(
                path, f"{key}: {study.source} has no column {column!r}; {suggest(column, known)}"
            )


def _filter_rows(study: Study, experiment: Experiment, manifest: Manifest) -> list[Item]:
    items = list(manifest.items)
    for column, values in experiment.where:
        path = (*experiment.key, "where", column)
        existing = dict.fromkeys(value_of(item, column) for item in manifest.items)
        for value in values:
            if value not in existing:
                known = [other for other in existing if other is not None]
                raise study.document.error(
                    path, f"where: no row of {study.source} has {column} = {value!r}; {suggest(value, known)}"
                )
        items = [item for item in items if value_of(item, column) in values]
        if not items:
            raise study.document.error(
                path,
                f"[experiment.{experiment.name}] selects nothing: no row of {study.source} meets all conditions of "
                f"where (none is left at {column} = {', '.join(values)}); remove a condition",
            )
    return items


def _check_filled(study: Study, experiment: Experiment, items: list[Item], required: tuple[str, ...]) -> None:
    for column in required:
        empty = [item for item in items if value_of(item, column) is None]
        if len(empty) > _MAX_EMPTY * len(items):
            raise study.document.error(
                (*experiment.key, _key_of(experiment, column)),
                f"column {column!r} is empty in {len(empty)} of the {len(items)} rows that [experiment."
                f"{experiment.name}] selects (first: {empty[0].origin}); fill it in, or narrow where",
            )


def _check_task(study: Study, selection: Selection) -> None:
    experiment, task = selection.experiment, selection.experiment.task
    values = Counter(value_of(item, task.on) for item in selection.items)
    if len(values) < 2:  # noqa: PLR2004
        found = f"the one value {next(iter(values))!r}" if values else "no value"
        raise study.document.error(
            (*experiment.key, "on"),
            f"on = {task.on!r} has {found} in the {len(selection.items)} rows that [experiment.{experiment.name}] "
            "selects, expected at least two; widen where, or choose another column",
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
                f"classify: all recordings of [experiment.{experiment.name}] have the same {column!r}; remove it",
            )


def _check_lengths(study: Study, selection: Selection, seconds: Mapping[str, float]) -> None:
    durations = [(seconds[item.item], item.item) for item in selection.items]
    if not all(duration for duration, _ in durations):
        return  # a header that cannot be read: embedding reports it
    longest, shortest = max(durations), min(durations)
    experiment_key = (*selection.experiment.key, "snippets")
    key = experiment_key if experiment_key in study.document.lines else ("study", "snippets")
    for length in selection.experiment.snippets:
        if length is not None and length > longest[0]:
            raise study.document.error(
                key,
                f"snippets has {length:g} s, longer than every row of [experiment.{selection.experiment.name}]: the "
                f"longest is {longest[1]!r}, {longest[0]:.2f} s; remove it, or give this experiment its own snippets",
            )
        if length is None and shortest[0] > MAX_WHOLE_S + END_SLACK_S:
            raise study.document.error(
                key,
                f"snippets has 'whole', for rows of at most {MAX_WHOLE_S:g} s; the shortest of [experiment."
                f"{selection.experiment.name}] is {shortest[1]!r}, {shortest[0]:.1f} s; name a length in seconds",
            )
