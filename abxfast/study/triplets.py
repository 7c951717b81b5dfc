"""Whether an experiment has a triplet at all, as far as the manifest and the headers tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abxfast.errors import TaskError
from abxfast.scoring import make_cells
from abxfast.study.embedding_estimate import count_snippets
from abxfast.study.embedding_jobs import fits
from abxfast.study.selection import value_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abxfast.manifest import Item
    from abxfast.study.resolve import ResolvedStudy
    from abxfast.study.selection import Selection


def check_triplets(resolved: ResolvedStudy) -> None:
    """Check that every experiment has a triplet at some length.

    Raises
    ------
    StudyError
        With the line of the study file, if an experiment has none, for the reason at its shortest length.
    """
    for selection in resolved.selections:
        reasons = [find_obstacle(resolved, selection, length) for length in selection.experiment.snippets]
        if all(reasons):
            experiment = selection.experiment
            key = next(name for name in ("different", "by", "on") if name == "on" or _names(selection, name))
            raise resolved.study.document.error(
                (*experiment.key, key), f"[experiment.{experiment.name}] nothing can be scored: {reasons[0]}"
            )


def _names(selection: Selection, key: str) -> tuple[str, ...]:
    experiment = selection.experiment
    return experiment.different if key == "different" else experiment.task.by


def find_obstacle(resolved: ResolvedStudy, selection: Selection, length: float | None) -> str:
    """Return why an experiment has no triplet at one length; empty if it has one.

    Where the gap of `min_gap_s` is all that is in the way, this is not noticed.
    """
    experiment, task = selection.experiment, selection.experiment.task
    items = [item for item in selection.items if fits(resolved, item, length)]
    place = "as whole items" if length is None else f"at {length:g} s"
    if len({value_of(item, task.on) for item in items}) < 2:  # noqa: PLR2004
        return f"fewer than two values of {task.on} have a recording that is long enough {place}"
    try:
        cells = make_cells(task, {name: [value_of(item, name) for item in items] for name in task.labels})
    except TaskError as error:
        return str(error)
    groups = [cells.rows[start:stop].tolist() for start, stop in zip(cells.bounds[:-1], cells.bounds[1:], strict=True)]
    n_snippets = [count_snippets(resolved, item, length) for item in items]
    checked: dict[tuple[int, int], bool] = {}
    for a, b, x in cells.groups.tolist():
        if (a, x) not in checked:
            checked[a, x] = _has_pair(items, n_snippets, groups[a], groups[x], experiment.different)
        if checked[a, x] and any(n_snippets[row] for row in groups[b]):
            return ""
    return _describe(selection, place)


def _has_pair(
    items: Sequence[Item], n_snippets: Sequence[int], a: Sequence[int], x: Sequence[int], different: Sequence[str]
) -> bool:
    """Return whether there are two snippets, one of A and one of X, that differ in all columns of `different`."""
    a, x = ([row for row in rows if n_snippets[row]] for rows in (a, x))
    if not different:
        return bool(a and x) and (a != x or len(a) > 1 or n_snippets[a[0]] > 1)
    kinds_a, kinds_x = ({tuple(value_of(items[row], name) for name in different) for row in rows} for rows in (a, x))
    return any(all(map(str.__ne__, map(str, i), map(str, j))) for i in kinds_a for j in kinds_x)


def _describe(selection: Selection, place: str) -> str:
    """Return why no group of an experiment has both an A and an X."""
    experiment, task = selection.experiment, selection.experiment.task
    context = f"by {', '.join(task.by)} leaves" if task.by else "there is"
    if experiment.different:
        differing = " and ".join(experiment.different)
        return f"{context} one {differing} for each {task.on} {place}: A and X need two that differ in {differing}"
    return f"{context} one snippet for each {task.on} {place}: A and X need two"
