"""``abxfast plan``: what a study takes, before a night is spent on it; speeds are measured here and now."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from abxfast._threads import usable_threads
from abxfast.scoring import make_cells
from abxfast.store import open_store
from abxfast.study.cached_analysis import known_levels, make_analyses
from abxfast.study.config import read_study
from abxfast.study.embedding_jobs import fits, missing_snippets, required_snippets, store_path
from abxfast.study.results_folder import PARTIAL, ResultCache, check_results_folder
from abxfast.study.selection import ResolvedStudy, Selection, resolve, value_of
from abxfast.study.throughput import ScoringSpeeds, encoding_speeds, scoring_speeds

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from abxfast.manifest import Item
    from abxfast.study.selection import EncoderSummary

_TRIED = 1200
"""Snippets, at most, that the speed of scoring is measured on."""
_LEAST = 32
"""Snippets below which nothing takes time."""
_MAX_TESTED = 2400
"""Snippets that the test of a whole experiment takes at most; of a pair, a third: see `permutation_tests`."""
_Place = tuple[str, str, str, float | None]
_ROW_BYTES = 60
"""Of a snippet in a store, besides its vectors."""


@dataclass(frozen=True)
class StudyPlan:
    """What a study takes.

    Attributes
    ----------
    title : str
    recordings : int
    hours : float
        Of audio that is to be compared.
    snippets : dict of str to int
        By length, for each encoder; estimated from the headers.
    steps : int
        Experiments × encoders × variants × lengths.
    kept : int
        How many of them are done.
    cells, triplets : int
        Over all steps; triplets before constraints leave some out.
    embedded : float
        Share of the audio that is in the stores already.
    disk_mb, disk_free_mb : float
        What the stores still take, and what there is.
    memory_mb : float
        At most, at any one time.
    embed_s, score_s, test_s : float
        Time left on this machine.
    speeds : dict of str to float
        Of each encoder, × real time, as measured; 0 where nothing is left to embed.
    notes : tuple of str
    """

    title: str
    recordings: int
    hours: float
    snippets: dict[str, int]
    steps: int
    kept: int
    cells: int
    triplets: int
    embedded: float
    disk_mb: float
    disk_free_mb: float
    memory_mb: float
    embed_s: float
    score_s: float
    test_s: float
    speeds: dict[str, float]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Give it as plain values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Give it as lines for a terminal."""
        snippets = ", ".join(f"{n:,} of {name}" for name, n in self.snippets.items())
        speeds = ", ".join(f"{name} {speed:,.0f} × real time" for name, speed in self.speeds.items() if speed)
        left = f"embedding {_duration(self.embed_s)}, scoring {_duration(self.score_s)}, tests {_duration(self.test_s)}"
        pairs = [
            ("study", self.title),
            ("recordings", f"{self.recordings:,}, {self.hours:.2f} hours"),
            ("snippets", snippets),
            ("steps", f"{self.steps:,} (experiment × encoder × variant × length), {self.kept:,} done"),
            ("cells", f"{self.cells:,}"),
            ("triplets", f"{self.triplets:,}"),
            ("embedded", f"{100 * self.embedded:.0f} % is there"),
            ("disk", f"{self.disk_mb:,.0f} MB more, {self.disk_free_mb:,.0f} MB are free"),
            ("memory", f"{self.memory_mb:,.0f} MB at most"),
            ("speed here", speeds or "nothing to embed"),
            ("time left", f"{_duration(self.embed_s + self.score_s + self.test_s)}: {left}"),
        ]
        return [f"{word:<11} {value}" for word, value in [*pairs, *(("note", note) for note in self.notes)]]


def plan_study(
    study_path: str | Path,
    results: str | Path,
    *,
    provider: str = "auto",
    memory_mb: float = 512,
    threads: int | None = None,
) -> StudyPlan:
    """Check a study and say what it takes.

    Parameters
    ----------
    study_path : path
    results : path
        Where it would be carried out; what is done there counts.
    provider, memory_mb, threads
        See `abxfast.study.run.run_study`.

    Raises
    ------
    AbxfastError
        Where the study cannot be carried out.
    """
    folder = Path(results)
    study = read_study(Path(study_path))
    check_results_folder(folder, study)
    material = resolve(study, provider)
    threads = threads or usable_threads()
    wanted = required_snippets(material)
    total_s = sum(_heard_s(material, item, length) for item, length in wanted) * len(material.encoders)
    median_s = float(np.median([seconds for seconds in material.seconds.values() if seconds] or [1.0]))
    speeds, embed_s, left_s, disk = {}, 0.0, 0.0, 0.0
    for name, encoder in material.encoders.items():
        path = store_path(material, name, folder)
        if (path / "store.json").exists():
            open_store(path)  # says what is wrong with it
        lacking = missing_snippets(material, encoder, path, wanted)
        heard = [(length, _heard_s(material, item, length)) for item, length in lacking]
        left_s += sum(seconds for _, seconds in heard)
        n = sum(_n_snippets(material, item, length) for item, length in lacking)
        disk += n * (encoder.dim * 4 * len(encoder.info.variants) + _ROW_BYTES)
        speeds[encoder.info.name] = 0.0
        if lacking:
            by_length = encoding_speeds(name, provider, {length for length, _ in heard}, median_s, threads)
            own_s = sum(seconds / by_length[length] for length, seconds in heard)
            embed_s += own_s
            speeds[encoder.info.name] = sum(seconds for _, seconds in heard) / own_s if own_s else 0.0
    work = _Work(material, memory_mb, threads, _kept(material, folder))
    for selection in material.selections:
        work.add(selection)
    notes = [
        f"{recording}: cannot be read, the run will say why"
        for recording, info in material.files.items()
        if info is None
    ]
    notes += work.notes
    free = shutil.disk_usage(_existing(folder)).free
    if disk > free:
        notes.append("the disk is too small: make room, or give -o a folder on another one")
    heard_recordings = {item.recording for selection in material.selections for item in selection.items}
    return StudyPlan(
        title=material.study.title,
        recordings=len(heard_recordings),
        hours=sum(material.seconds[name] for name in dict.fromkeys(item.item for item, _ in wanted)) / 3600,
        snippets=_snippets(material, wanted),
        steps=work.steps,
        kept=work.kept,
        cells=work.cells,
        triplets=work.triplets,
        embedded=1 - left_s / total_s if total_s else 1.0,
        disk_mb=disk / 1e6,
        disk_free_mb=free / 1e6,
        memory_mb=work.memory_mb,
        embed_s=embed_s,
        score_s=work.score_s,
        test_s=work.test_s,
        speeds=speeds,
        notes=tuple(notes),
    )


def _n_snippets(material: ResolvedStudy, item: Item, length: float | None) -> int:
    seconds = material.seconds[item.item]
    if length is None or not seconds:
        return 1
    hop = material.study.hop_s or length
    if seconds < length:
        return 1 if material.study.remainder == "keep" else 0
    return int((seconds - length) / hop + 1e-9) + 1


def _heard_s(material: ResolvedStudy, item: Item, length: float | None) -> float:
    """Give the seconds that the encoder hears of a row at one length."""
    return _n_snippets(material, item, length) * (material.seconds[item.item] if length is None else length)


def _snippets(material: ResolvedStudy, wanted: list[tuple[Item, float | None]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for item, length in wanted:
        name = "whole items" if length is None else f"{length:g} s"
        counts[name] = counts.get(name, 0) + _n_snippets(material, item, length)
    return counts


def _kept(material: ResolvedStudy, folder: Path) -> set[_Place]:
    """Give the steps that an earlier run finished, as far as that can be told without doing any work."""
    paths = {name: store_path(material, name, folder) for name in material.encoders}
    kept = ResultCache(folder / PARTIAL)
    levels = known_levels(material, kept)
    if levels is None or not all((path / "store.json").exists() for path in paths.values()):
        return set()
    pieces = make_analyses(material, {name: open_store(path) for name, path in paths.items()}, levels, folder)
    return {
        (piece.step.selection.experiment.name, piece.step.encoder.name, piece.step.variant, piece.step.length_s)
        for piece in pieces
        if kept.has(piece.title, piece.depends_on)
    }


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


class _Work:
    """Adds up cells and triplets, and the time that counting and testing them takes here."""

    def __init__(self, material: ResolvedStudy, memory_mb: float, threads: int, kept: Collection[_Place]) -> None:
        self.steps = self.kept = self.cells = self.triplets = 0
        self.score_s = self.test_s = 0.0
        self.memory_mb = memory_mb
        self.notes: list[str] = []
        self._material = material
        self._bound_mb = memory_mb
        self._threads = threads
        self._kept = kept
        self._known: dict[tuple[int, int], ScoringSpeeds] = {}

    def add(self, selection: Selection) -> None:
        """Take in an experiment with all of its lengths, encoders and variants."""
        for length in selection.experiment.snippets:
            items = [item for item in selection.items if fits(self._material, item, length)]
            sizes = np.array([_n_snippets(self._material, item, length) for item in items], np.int64)
            counted = _count(selection, items, sizes)
            if not counted.triplets:
                at = "as whole items" if length is None else f"at {length:g} s"
                self.notes.append(
                    f"{selection.experiment.name}: nothing can be scored {at}: too few snippets of each kind"
                )
            for name, encoder in self._material.encoders.items():
                variants = self._material.variants[name]
                self.steps += len(variants)
                self.cells += len(variants) * counted.cells
                self.triplets += len(variants) * counted.triplets
                places = [(selection.experiment.name, encoder.info.name, variant, length) for variant in variants]
                self.kept += sum(place in self._kept for place in places)
                self._time(encoder, counted, sum(place not in self._kept for place in places))

    def _time(self, encoder: EncoderSummary, counted: _Counted, variants: int) -> None:
        n, dim = counted.snippets, encoder.dim
        if n < _LEAST or not counted.cells or not variants:
            return
        tried = min(n, _TRIED)
        if (tried, dim) not in self._known:
            self._known[tried, dim] = scoring_speeds(tried, dim, self._threads)
        speeds = self._known[tried, dim]
        # For each x every other snippet is sorted or looked up: the work goes with the square.
        self.score_s += variants * speeds.score_s * (n / tried) ** 2
        tested = min(n, _MAX_TESTED) ** 2 + sum(min(size, _MAX_TESTED // 3) ** 2 for size in counted.pairs)
        each = (len(counted.pairs) + 1) * speeds.permutation_s + tested * speeds.square_s
        self.test_s += variants * each * self._material.study.permutations
        vectors = n * dim * (4 + 8) / 1e6
        model = encoder.path.stat().st_size / 1e6
        self.memory_mb = max(self.memory_mb, self._bound_mb + min(vectors, 2 * self._bound_mb) + model)


@dataclass(frozen=True)
class _Counted:
    """One experiment at one length: its size, and the snippets of each of its pairs together."""

    snippets: int
    cells: int
    triplets: int
    pairs: tuple[int, ...]


def _count(selection: Selection, items: list[Item], sizes: NDArray[np.int64]) -> _Counted:
    task = selection.experiment.task
    labels = {name: [value_of(item, name) for item in items] for name in task.labels}
    if len(set(labels[task.on])) < 2:  # noqa: PLR2004
        return _Counted(int(sizes.sum()), 0, 0, ())
    cells = make_cells(task, labels)
    group = np.repeat(np.arange(len(cells.bounds) - 1), np.diff(cells.bounds))
    n = np.bincount(group, sizes[cells.rows], minlength=len(cells.bounds) - 1).astype(np.int64)
    if selection.experiment.max_size_group is not None:
        n = np.minimum(n, selection.experiment.max_size_group)
    a, b, x = cells.groups.T
    triplets = n[a] * n[b] * (n[x] - (a == x))
    values: dict[object, int] = {}
    for value, size in zip(labels[task.on], sizes.tolist(), strict=True):
        values[value] = values.get(value, 0) + size
    table = cells.table
    pairs = {
        frozenset(pair) for pair in zip(table[task.on].to_pylist(), table[f"{task.on}_b"].to_pylist(), strict=True)
    }
    return _Counted(
        int(sizes.sum()),
        int((triplets > 0).sum()),
        int(triplets.sum()),
        tuple(sum(values[value] for value in pair) for pair in pairs),
    )


def _duration(seconds: float) -> str:
    if seconds < 90:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    if seconds < 5400:  # noqa: PLR2004
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
