"""Which figures a results folder gets, and what they are called."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abxfast._files import write_atomic
from abxfast.figures import (
    ScoreCurve,
    Sheet,
    choose_families,
    curve_caption,
    draw_curve,
    draw_layers,
    draw_map,
    draw_matrix,
    drawable,
    is_numbered,
    layers_caption,
    map_caption,
    matrix_caption,
    scale,
    settings,
)
from abxfast.report.shared_order import series_order
from abxfast.results import ResultKey, Results, ScoreMatrix, read_results, score_matrix, short_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

INDEX = "figures.json"
_MIN_ON_A_MAP = 3
_MIN_KNOWN = 0.5
"""Share of the pairs below which a map would be made up: under BY, most have no score."""


@dataclass(frozen=True)
class Figure:
    """One figure: its name without a suffix, what it is of, and how it is drawn."""

    kind: str
    parts: tuple[str, ...]
    experiment: str
    encoder: str
    title: str
    caption: str
    key: ResultKey | None
    sheet: Callable[[], Sheet]


def draw_all(folder: Path) -> list[Path]:
    """Draw all figures of a results folder."""
    results = read_results(folder)
    target = folder / "figures"
    before = _index(target)
    families, missing = choose_families(_texts(results))
    written: list[Path] = []
    entries: list[dict[str, Any]] = []
    names: set[str] = set()
    with settings(families):
        for figure in _figures(results, missing):
            stem = _stem(figure, names)
            files = figure.sheet().save(target / stem)
            written += files
            told = {name: getattr(figure, name) for name in ("kind", "experiment", "encoder", "title", "caption")}
            told["view"] = figure.key
            entries.append({"name": stem, "files": [path.name for path in files], **told})
    index = target / INDEX
    write_atomic(index, f"{json.dumps(entries, ensure_ascii=False, indent=1)}\n".encode())
    for name in before - {path.name for path in written}:
        (target / name).unlink(missing_ok=True)
    return [*written, index]


def _figures(results: Results, missing: set[str]) -> Iterator[Figure]:
    def clean(text: str) -> str:
        return drawable(text, missing)

    floors = results.groups("self_baselines")
    orders = series_order(results)
    yield from _curves(results, clean)
    yield from _heat_maps(results, clean)
    for key, rows in results.shown("pairs").items():
        one = score_matrix(key, rows, floors.get(key))
        order = orders[key.experiment, key.encoder, key.variant]
        yield from _of_matrix(results, one, order, rows, clean)


def _of_matrix(
    results: Results, one: ScoreMatrix, order: list[str], rows: pa.Table, clean: Callable[[str], str]
) -> Iterator[Figure]:
    key = one.key
    at = np.array([one.names.index(name) for name in order if name in one.names])
    full = tuple(one.names[number] for number in at)
    names = [clean(name) for name in short_names(full)]
    score, low, high = (grid[np.ix_(at, at)] for grid in (one.score, one.low, one.high))
    told = f"{key.experiment}, {key.encoder} {key.variant}, {key.length}"
    title = f"{key.encoder} · {key.variant} · {key.length}"
    parts = (key.experiment, key.encoder, _file_length(key))
    averaged = next((text for text in rows["context"].to_pylist() if text), "")
    diagonal = bool(np.isfinite(np.diag(score)).any())
    said = matrix_caption(told, one.on, values=len(at), diagonal=diagonal, averaged=averaged)

    def matrix_sheet() -> Sheet:
        return draw_matrix(clean(title), names, score, low, high)

    yield Figure("matrix", parts, key.experiment, key.encoder, f"Matrix: {title}", said, key, matrix_sheet)
    mean = _mean(score)
    known = np.isfinite(mean).sum() / (len(at) * (len(at) - 1))
    if len(at) < _MIN_ON_A_MAP or known < _MIN_KNOWN:
        return
    places = scale(mean)
    column = next(iter(results.experiment(key.experiment).get("classify") or ()), "") if one.on == "recording" else ""
    groups = _labels(results, column, full) if column else None

    def map_sheet() -> Sheet:
        kinds = [clean(group) for group in groups] if groups else None
        return draw_map(clean(title), names, places, kinds, clean(column))

    said = map_caption(told, numbered=is_numbered(len(at)))
    yield Figure("map", parts, key.experiment, key.encoder, f"Map: {title}", said, key, map_sheet)


def _curves(results: Results, clean: Callable[[str], str]) -> Iterator[Figure]:
    floors = results.groups("self_baselines")
    lines: dict[str, dict[str, list[tuple[ResultKey, dict[str, Any]]]]] = {}
    for key, rows in results.shown("summary").items():
        lines.setdefault(key.experiment, {}).setdefault(key.encoder, []).append((key, rows.to_pylist()[0]))
    for experiment, encoders in lines.items():
        if max(len(points) for points in encoders.values()) < 2:  # noqa: PLR2004
            continue
        drawn = [_line(clean(encoder), points, floors) for encoder, points in encoders.items()]

        def sheet(drawn: list[ScoreCurve] = drawn, experiment: str = experiment) -> Sheet:
            return draw_curve(clean(experiment), drawn)

        said = curve_caption(experiment)
        yield Figure("curve", (experiment,), experiment, "", "Score over length", said, None, sheet)


def _line(
    encoder: str, points: list[tuple[ResultKey, dict[str, Any]]], floors: dict[ResultKey, pa.Table]
) -> ScoreCurve:
    points = sorted(points, key=lambda point: (point[0].snippet_s is None, point[0].snippet_s or 0.0))

    def numbers(name: str) -> NDArray[np.float64]:
        return np.array([np.nan if row[name] is None else row[name] for _, row in points], np.float64)

    return ScoreCurve(
        f"{encoder} {points[0][0].variant}",
        np.array([np.nan if key.snippet_s is None else key.snippet_s for key, _ in points]),
        numbers("score"),
        numbers("low"),
        numbers("high"),
        numbers("dims_per_frame"),
        np.array([_mean_within(floors.get(key)) for key, _ in points]),
    )


def _mean_within(floors: pa.Table | None) -> float:
    rows = [] if floors is None else floors.select(["alternating_split", "alternating_split_low"]).to_pylist()
    known = [row["alternating_split"] for row in rows if row["alternating_split_low"] is not None]
    return float(np.mean(known)) if known else float("nan")


def _heat_maps(results: Results, clean: Callable[[str], str]) -> Iterator[Figure]:
    maps: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for key, rows in results.groups("summary").items():
        score = rows["score"][0].as_py()
        panel = maps.setdefault((key.experiment, key.encoder), {}).setdefault(key.length, {})
        panel[clean(key.variant)] = float("nan") if score is None else score
    for (experiment, encoder), panels in maps.items():
        if max(len(panel) for panel in panels.values()) < 2:  # noqa: PLR2004
            continue
        title = f"{experiment} · {encoder}"

        def sheet(title: str = title, panels: dict[str, dict[str, float]] = panels) -> Sheet:
            return draw_layers(clean(title), panels)

        said = layers_caption(experiment, encoder)
        name = f"Layers and poolings: {encoder}"
        yield Figure("layers", (experiment, encoder), experiment, encoder, name, said, None, sheet)


def _mean(score: NDArray[np.float64]) -> NDArray[np.float64]:
    mean = (score + score.T) / 2
    np.fill_diagonal(mean, np.nan)
    return mean


def _labels(results: Results, column: str, names: tuple[str, ...]) -> list[str] | None:
    table = results.tables["recordings"]
    if column not in table.column_names:
        return None
    values = table[column].to_pylist()
    of = dict(zip(table["recording"].to_pylist(), values, strict=True))
    return ["" if of.get(name) is None else str(of[name]) for name in names]


def _texts(results: Results) -> Iterator[str]:
    """Give every text that may stand in a figure."""
    yield "…−·×"
    for name in ("pairs", "summary", "recordings"):
        for column in results.tables[name].itercolumns():
            if str(column.type) == "string":
                yield from (value for value in column.unique().to_pylist() if value)
    for row in results.run.get("experiments", ()):
        yield from row.get("classify", ())


def _file_length(key: ResultKey) -> str:
    return "whole" if key.snippet_s is None else f"{key.snippet_s:g}s"


def _stem(figure: Figure, taken: set[str]) -> str:
    """Name a file so that every system can keep it, and no two are one."""
    plain = "-".join(re.sub(r"[^\w.-]+", "_", part).strip("._-")[:48] or "_" for part in figure.parts)
    stem, number = f"{figure.kind}-{plain}", 1
    while stem.casefold() in taken:
        number += 1
        stem = f"{figure.kind}-{plain}-{number}"
    taken.add(stem.casefold())
    return stem


def _index(target: Path) -> set[str]:
    """Give the names of the files that were drawn before."""
    try:
        entries = json.loads((target / INDEX).read_text(encoding="utf-8"))
        names = {str(name) for entry in entries for name in entry["files"]}
    except (OSError, ValueError, TypeError, KeyError):
        return set()
    return {name for name in names if re.fullmatch(r"[\w.-]+\.(png|svg)", name)}
