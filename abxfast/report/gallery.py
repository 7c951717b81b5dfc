"""The figures that a study gets: which ones, of what data, with which titles and captions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abxfast.figures import (
    LayerScore,
    ScoreCurve,
    Sheet,
    draw_curve,
    draw_dendrogram,
    draw_layers,
    draw_map,
    draw_matrix,
    drawable,
    multidimensional_scaling,
)
from abxfast.report.captions import curve_caption, layers_caption, map_caption, matrix_caption, tree_caption
from abxfast.report.recording_trees import is_scored_enough, make_trees
from abxfast.report.shared_order import shared_order
from abxfast.results import ResultKey, Results, ScoreMatrix, score_matrix, short_names
from abxfast.statistics import UNDECIDABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

_TREE_TITLES = {"average_linkage": "average linkage", "neighbour_joining": "neighbour joining (unrooted)"}
_MIN_POINTS = 2
"""Snippet lengths of a curve, or variants of a heat map, below which there is nothing to compare."""


@dataclass(frozen=True)
class Figure:
    """A figure of a study, not drawn yet.

    Attributes
    ----------
    kind : str
        ``curve``, ``layers``, ``matrix``, ``map`` or ``tree``.
    name_parts : tuple of str
        Parts of the name of its files.
    experiment, encoder : str
        What it shows; `encoder` is empty if it shows several.
    title, caption : str
    key : ResultKey or None
        The analysis that it shows; None if it shows several.
    draw : callable
        Return the drawn figure.
    """

    kind: str
    name_parts: tuple[str, ...]
    experiment: str
    encoder: str
    title: str
    caption: str
    key: ResultKey | None
    draw: Callable[[], Sheet]


def study_figures(results: Results, missing: set[str]) -> Iterator[Figure]:
    """Yield the figures of a study: curves, heat maps, then matrices, maps and trees of the default variants.

    Parameters
    ----------
    results : Results
    missing : set of str
        Characters that no font covers; figures show a placeholder instead.
    """

    def clean(text: str) -> str:
        return drawable(text, missing)

    yield from _curves(results, clean)
    yield from _heat_maps(results, clean)
    self_baselines = results.groups("self_baselines")
    orders = shared_order(results)
    for key, pairs in results.shown("pairs").items():
        matrix = score_matrix(key, pairs, self_baselines.get(key))
        names = orders[key.experiment]
        rows = np.array([matrix.names.index(name) for name in names if name in matrix.names])
        averaged_over = next((text for text in pairs["context"].to_pylist() if text), "")
        yield _matrix(matrix, rows, averaged_over, clean)
        symmetric = matrix.symmetric[np.ix_(rows, rows)]
        if is_scored_enough(symmetric):
            yield _map(results, matrix, rows, symmetric, clean)
        yield from _tree(results, matrix, clean)


def figure_texts(results: Results) -> Iterator[str]:
    """Yield every text that a figure may contain, to choose fonts."""
    yield "…−·×"
    for name in ("pairs", "summary", "recordings"):
        for column in results.tables[name].itercolumns():
            if str(column.type) == "string":
                yield from (value for value in column.unique().to_pylist() if value)
    for experiment in results.run.get("experiments", ()):
        yield from experiment.get("classify", ())


def _matrix(matrix: ScoreMatrix, rows: NDArray[np.int64], averaged_over: str, clean: Callable[[str], str]) -> Figure:
    key = matrix.key
    score, verdict = matrix.score[np.ix_(rows, rows)], matrix.verdict[np.ix_(rows, rows)]
    has_diagonal = bool(np.isfinite(np.diag(score)).any())
    caption = matrix_caption(
        _subject(key), matrix.on, n_rows=len(rows), self_baselines=has_diagonal, averaged_over=averaged_over
    )
    names = [clean(name) for name in short_names(_names(matrix, rows))]

    def draw() -> Sheet:
        return draw_matrix(clean(_title(key)), names, score, verdict)

    return Figure("matrix", _name_parts(key), key.experiment, key.encoder, f"Matrix: {_title(key)}", caption, key, draw)


def _map(
    results: Results,
    matrix: ScoreMatrix,
    rows: NDArray[np.int64],
    symmetric: NDArray[np.float64],
    clean: Callable[[str], str],
) -> Figure:
    key, names = matrix.key, _names(matrix, rows)
    layout = multidimensional_scaling(symmetric)
    column, groups = _groups(results, matrix, names, clean)
    labels = [clean(name) for name in short_names(names)]

    def draw() -> Sheet:
        return draw_map(clean(_title(key)), labels, layout, groups, clean(column))

    n_undecidable = int((matrix.verdict == UNDECIDABLE).sum()) // 2
    caption = map_caption(_subject(key), n_recordings=len(rows), stress=layout.stress, n_undecidable=n_undecidable)
    return Figure("map", _name_parts(key), key.experiment, key.encoder, f"Map: {_title(key)}", caption, key, draw)


def _tree(results: Results, matrix: ScoreMatrix, clean: Callable[[str], str]) -> Iterator[Figure]:
    """Yield the trees of a matrix as a figure; nothing if it has too few scores."""
    key, made = matrix.key, make_trees(matrix)
    if made is None:
        return
    column, groups = _groups(results, matrix, made.names, clean)
    labels = [clean(name) for name in short_names(made.names)]
    panels = {_TREE_TITLES[name]: tree for name, tree in made.trees.items()}

    def draw() -> Sheet:
        return draw_dendrogram(clean(_title(key)), labels, panels, groups, clean(column))

    caption = tree_caption(_subject(key), made.describe())
    yield Figure("tree", _name_parts(key), key.experiment, key.encoder, f"Trees: {_title(key)}", caption, key, draw)


def _groups(
    results: Results, matrix: ScoreMatrix, names: Sequence[str], clean: Callable[[str], str]
) -> tuple[str, list[str] | None]:
    """Return the first column that recordings are classified by, and its values; empty and None without one."""
    classify = results.experiment(matrix.key.experiment).get("classify") or ()
    column = next(iter(classify), "") if matrix.on == "recording" else ""
    labels = _labels(results, column, names) if column else None
    return column, [clean(label) for label in labels] if labels else None


def _curves(results: Results, clean: Callable[[str], str]) -> Iterator[Figure]:
    """Yield a curve for each experiment that has several snippet lengths: a line per encoder."""
    self_baselines = results.groups("self_baselines")
    experiments: dict[str, dict[str, list[tuple[ResultKey, dict[str, Any]]]]] = {}
    for key, rows in results.shown("summary").items():
        points = experiments.setdefault(key.experiment, {}).setdefault(key.encoder, [])
        points.append((key, rows.to_pylist()[0]))
    for experiment, encoders in experiments.items():
        if max(len(points) for points in encoders.values()) < _MIN_POINTS:
            continue
        curves = [_score_curve(clean(encoder), points, self_baselines) for encoder, points in encoders.items()]

        def draw(curves: Sequence[ScoreCurve] = curves, experiment: str = experiment) -> Sheet:
            return draw_curve(clean(experiment), curves)

        caption = curve_caption(experiment)
        yield Figure("curve", (experiment,), experiment, "", "Score by snippet length", caption, None, draw)


def _score_curve(
    encoder: str, points: Sequence[tuple[ResultKey, dict[str, Any]]], self_baselines: dict[ResultKey, pa.Table]
) -> ScoreCurve:
    points = sorted(points, key=lambda point: (point[0].snippet_s is None, point[0].snippet_s or 0.0))

    def column(name: str) -> NDArray[np.float64]:
        return np.array([np.nan if row[name] is None else row[name] for _, row in points], np.float64)

    return ScoreCurve(
        name=f"{encoder} {points[0][0].variant}",
        snippet_s=np.array([np.nan if key.snippet_s is None else key.snippet_s for key, _ in points]),
        score=column("score"),
        low=column("low"),
        high=column("high"),
        dims_per_frame=column("dims_per_frame"),
        alternating_split=np.array([_mean_alternating_split(self_baselines.get(key)) for key, _ in points]),
        verdict=np.array([row["verdict"] or "" for _, row in points]),
    )


def _mean_alternating_split(self_baselines: pa.Table | None) -> float:
    """Return the mean over the recordings whose self-baseline has an interval; NaN if there are none."""
    columns = ["alternating_split", "alternating_split_low"]
    rows = [] if self_baselines is None else self_baselines.select(columns).to_pylist()
    scores = [row["alternating_split"] for row in rows if row["alternating_split_low"] is not None]
    return float(np.mean(scores)) if scores else float("nan")


def _heat_maps(results: Results, clean: Callable[[str], str]) -> Iterator[Figure]:
    """Yield a heat map for each experiment and encoder that has several variants: a panel per snippet length."""
    panels_of: dict[tuple[str, str], dict[str, dict[str, LayerScore]]] = {}
    for key, rows in results.groups("summary").items():
        score, verdict = rows["score"][0].as_py(), rows["verdict"][0].as_py()
        panel = panels_of.setdefault((key.experiment, key.encoder), {}).setdefault(key.length, {})
        panel[clean(key.variant)] = LayerScore(float("nan") if score is None else score, verdict or "")
    for (experiment, encoder), panels in panels_of.items():
        if max(len(panel) for panel in panels.values()) < _MIN_POINTS:
            continue
        heading = clean(f"{experiment} · {encoder}")

        def draw(heading: str = heading, panels: dict[str, dict[str, LayerScore]] = panels) -> Sheet:
            return draw_layers(heading, panels)

        caption = layers_caption(experiment, encoder)
        title = f"Layers and poolings: {encoder}"
        yield Figure("layers", (experiment, encoder), experiment, encoder, title, caption, None, draw)


def _names(matrix: ScoreMatrix, rows: NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(matrix.names[row] for row in rows)


def _labels(results: Results, column: str, names: Sequence[str]) -> list[str] | None:
    """Return the values of a column of the manifest for some recordings; None if the results lack the column."""
    table = results.tables["recordings"]
    if column not in table.column_names:
        return None
    labels = dict(zip(table["recording"].to_pylist(), table[column].to_pylist(), strict=True))
    return ["" if labels.get(name) is None else str(labels[name]) for name in names]


def _subject(key: ResultKey) -> str:
    return f"{key.experiment}, {key.encoder} {key.variant}, {key.length}"


def _title(key: ResultKey) -> str:
    return f"{key.encoder} · {key.variant} · {key.length}"


def _name_parts(key: ResultKey) -> tuple[str, ...]:
    return key.experiment, key.encoder, "whole" if key.snippet_s is None else f"{key.snippet_s:g}s"
