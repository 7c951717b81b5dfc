"""``abxfast run``: embed what is missing, score, test, and write what came of it; stop and resume at any time."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abxfast._files import relative_path, remove_stale, write_atomic
from abxfast.embedding import embed
from abxfast.errors import AbxfastError, MissingPackageError
from abxfast.results import TABLES as COLUMNS
from abxfast.results import write_tables
from abxfast.store import open_store
from abxfast.study.cached_analysis import make_analyses, measure_recordings
from abxfast.study.compute import compute_tables
from abxfast.study.config import read_study
from abxfast.study.embedding_jobs import embedding_jobs, missing_snippets, required_snippets, store_path
from abxfast.study.provenance import describe_run
from abxfast.study.results_folder import (
    PARTIAL,
    RUN,
    STUDY,
    TABLES,
    ResultCache,
    check_results_folder,
    claim_results_folder,
    metadata_names,
)
from abxfast.study.selection import ResolvedStudy, resolve
from abxfast.study.sentences import describe_lengths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abxfast.audio import AudioQuality
    from abxfast.embedding import Progress
    from abxfast.manifest import Item
    from abxfast.results import Row
    from abxfast.store import Store
    from abxfast.study.analysis import Analysis

logger = logging.getLogger(__name__)

Rows = dict[str, list[dict[str, Any]]]


@dataclass
class RunReport:
    """What a run did.

    Attributes
    ----------
    results : Path
    steps, kept : int
        Steps of the study, and how many of them an earlier run had finished.
    failures : list of (str, str)
        Recording or item, and why it takes no part.
    wall_s : float
    """

    results: Path
    steps: int = 0
    kept: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    wall_s: float = 0.0


def run_study(
    study_path: str | Path,
    results: str | Path,
    *,
    provider: str = "auto",
    threads: int | None = None,
    memory_mb: float = 512,
    report: bool = True,
    progress: Callable[[Progress], None] | None = None,
) -> RunReport:
    """Carry out a study; of one that was begun, do what is missing.

    Parameters
    ----------
    study_path : path
        The study file.
    results : path
        The folder to make or to go on with.
    provider, threads
        See `abxfast.embed`.
    memory_mb : float
        Bound on the memory of scoring, see `abxfast.score_store`.
    report : bool
        Whether to draw figures and write the page.
    progress : callable, optional
        See `abxfast.embed`.

    Returns
    -------
    RunReport

    Raises
    ------
    AbxfastError
        Where the study cannot be carried out; what is done is kept.
    """
    started = time.monotonic()
    folder = Path(results)
    study = read_study(Path(study_path))
    check_results_folder(folder, study)
    material = resolve(study, provider)
    claim_results_folder(folder, study)
    out = RunReport(folder)
    stores = _embed(material, folder, out, provider=provider, threads=threads, progress=progress)
    pieces = ResultCache(folder / PARTIAL)
    levels = measure_recordings(material, pieces)
    rows: Rows = {name: [] for name in COLUMNS}
    metadata = metadata_names(material.manifest.columns, COLUMNS["recordings"][1])
    rows["recordings"] = [*_recording_rows(material, levels, metadata, folder)]
    plan = make_analyses(material, stores, levels, folder)
    out.steps = len(plan)
    for number, piece in enumerate(plan, 1):
        logger.info("step %d of %d: %s", number, len(plan), piece.step)
        out.kept += pieces.has(piece.title, piece.depends_on)
        work = partial(_compute, piece.step, stores[piece.encoder], memory_mb=memory_mb, threads=threads)
        done_now = pieces.get(piece.title, piece.depends_on, work)
        for name, found in done_now.items():
            rows[name] += found
    rows["sentences"] += _length_sentences(rows["summary"])
    write_tables(folder / TABLES, rows, metadata)
    write_atomic(folder / STUDY, study.document.text.encode())
    if study.source.is_file():
        write_atomic(folder / f"manifest{study.source.suffix.lower()}", study.source.read_bytes())
    described = json.dumps(describe_run(material, stores, rows, out.failures), ensure_ascii=False, indent=1)
    write_atomic(folder / RUN, f"{described}\n".encode())
    pieces.forget_others()
    remove_stale(folder)
    if report:
        _draw(folder)
    out.wall_s = time.monotonic() - started
    return out


def _embed(
    material: ResolvedStudy,
    folder: Path,
    out: RunReport,
    *,
    provider: str,
    threads: int | None,
    progress: Callable[[Progress], None] | None,
) -> dict[str, Store]:
    wanted = required_snippets(material)
    stores = {}
    failures: dict[tuple[str, str], None] = {}
    for name, encoder in material.encoders.items():
        path = store_path(material, name, folder)
        lacking = missing_snippets(material, encoder, path, wanted)
        if lacking:
            logger.info("%s: embedding %d of %d rows and lengths", encoder.info.name, len(lacking), len(wanted))
        for batch in embedding_jobs(wanted):  # it knows best what has changed
            embedded = embed(
                batch.manifest,
                path,
                encoder=name,
                snippets=batch.snippets,
                hop_s=material.study.hop_s,
                remainder=material.study.remainder,
                channel=material.study.channel,
                provider=provider,
                threads=threads,
                progress=progress,
            )
            failures |= dict.fromkeys(embedded.failures)
        if not (path / "store.json").exists():
            raise AbxfastError(f"{path}: nothing to embed with {encoder.info.name}; every row is too short or too long")
        stores[name] = open_store(path)
    out.failures = list(failures)
    return stores


def _recording_rows(
    material: ResolvedStudy, levels: dict[str, AudioQuality], metadata: dict[str, str], folder: Path
) -> Iterator[Row]:
    """Give a row for each recording; a metadata column on which its rows differ stays empty."""
    rows: dict[str, list[Item]] = {}
    for item in material.manifest.items:
        if item.recording in levels:
            rows.setdefault(item.recording, []).append(item)
    for recording, items in rows.items():
        row: Row = {"recording": recording, "path": relative_path(items[0].path, folder), **asdict(levels[recording])}
        for column, name in metadata.items():
            values = {item.labels.get(column) for item in items}
            row[name] = values.pop() if len(values) == 1 else None
        yield row


def _compute(step: Analysis, store: Store, *, memory_mb: float, threads: int | None) -> Rows:
    items = [item.item for item in step.selection.items]
    snippets = store.read(step.length_s, step.variant, memory_mb=memory_mb, items=items)
    return compute_tables(step, snippets, memory_mb=memory_mb, threads=threads)


def _length_sentences(summary: list[Row]) -> list[Row]:
    curves: dict[tuple[str, str, str], list[Row]] = {}
    for row in summary:
        curves.setdefault((row["experiment"], row["encoder"], row["variant"]), []).append(row)
    names = ("experiment", "encoder", "variant")
    return [
        dict(zip(names, curve, strict=True)) | {"snippet_s": None, "kind": kind, "text": text}
        for curve, rows in curves.items()
        for kind, text in describe_lengths(rows)
    ]


def _draw(folder: Path) -> None:
    """Draw the figures and write the page; without the extra `report`, say what is missing."""
    from abxfast.report import draw_figures, write_report  # noqa: PLC0415

    try:
        draw_figures(folder)
        write_report(folder)
    except MissingPackageError as error:
        logger.warning("no figures and no page: %s", error)
