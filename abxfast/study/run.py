"""``run_study``: embed what is missing, score, test, and write the results folder; it can be stopped and resumed."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from abxfast._files import relative_path, remove_stale, write_atomic
from abxfast.audio import DEFAULT_TIMEOUT_S
from abxfast.embedding import embed
from abxfast.errors import AbxfastError, MissingPackageError
from abxfast.report import draw_figures, write_report, write_trees
from abxfast.results import PARTIAL_FOLDER, RUN_FILE, STUDY_FILE, TABLES, TABLES_FOLDER, write_tables
from abxfast.store import is_store, open_store
from abxfast.study.cached_analysis import make_analyses, measure_recordings
from abxfast.study.compute import compute_tables
from abxfast.study.config import read_study
from abxfast.study.copies import copy_rows
from abxfast.study.embedding_jobs import embedding_jobs, missing_snippets, required_snippets, store_path
from abxfast.study.provenance import describe_run
from abxfast.study.resolve import ResolvedStudy, resolve
from abxfast.study.results_folder import (
    ResultCache,
    check_results_folder,
    claim_results_folder,
    metadata_names,
    remove_former_tables,
)
from abxfast.study.steps import StudyStep
from abxfast.study.study_sentences import best_variant_rows, study_sentences
from abxfast.study.triplets import check_triplets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abxfast.audio import AudioQuality
    from abxfast.embedding import Progress
    from abxfast.manifest import Item
    from abxfast.results import Row
    from abxfast.store import Store
    from abxfast.study.analysis import Analysis

    Rows = dict[str, list[Row]]

logger = logging.getLogger(__name__)


@dataclass
class RunReport:
    """What `run_study` did.

    Attributes
    ----------
    results : Path
        The results folder.
    page : Path or None
        The page; None if it was not written.
    steps, kept : int
        Number of analyses, and of those that an earlier run finished.
    failures : list of (str, str)
        Recording or item that takes no part, and why.
    wall_s : float
        Duration of the run, in seconds.

    Examples
    --------
    A run of a finished study computes nothing:

    >>> from abxfast import run_study
    >>> done = run_study("study.toml", "results", report=False)
    >>> done.steps, done.kept, done.failures
    (1, 1, [])
    """

    results: Path
    page: Path | None = None
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
    timeout_s: float = DEFAULT_TIMEOUT_S,
    memory_mb: float = 512,
    report: bool = True,
    excel: bool = False,
    embed_audio: bool = False,
    progress: bool | Callable[[Progress], None] | None = None,
    on_step: Callable[[StudyStep], None] | None = None,
) -> RunReport:
    """Carry out a study, or what is left of it.

    What a run finished is kept in the results folder, also if it is interrupted. Later runs compute only what is
    missing or depends on a change of the study file, the manifest, the recordings or the encoders.

    Parameters
    ----------
    study_path : path
        The study file.
    results : path
        The results folder, new or of the same study.
    provider, threads, timeout_s
        See `abxfast.embed`.
    memory_mb : float
        Bound on the memory of scoring, see `abxfast.score_store`.
    report : bool
        Whether to draw figures and write the page, which needs the extra ``report``.
    excel : bool
        Whether the CSV tables begin with a byte order mark, without which Excel does not read UTF-8.
    embed_audio : bool
        Whether the page holds clips of the snippets to listen to, so that it can be moved away from the recordings.
    progress : bool or callable, optional
        See `abxfast.embed`.
    on_step : callable, optional
        Called with each step that begins after the embedding: a recording that is measured, an analysis, a figure, the
        page.

    Returns
    -------
    RunReport

    Raises
    ------
    AbxfastError
        If the study cannot be carried out; an error of the study file names its line. What is finished is kept.

    Examples
    --------
    >>> from abxfast import run_study
    >>> done = run_study("study.toml", "results", report=False)
    >>> sorted(path.name for path in done.results.iterdir())
    ['manifest.csv', 'partial', 'run.json', 'stores', 'study.toml', 'tables', 'trees']

    `abxfast.read_results` reads the tables.
    """
    started = time.monotonic()
    folder = Path(results)
    study = read_study(Path(study_path))
    check_results_folder(folder, study)
    resolved = resolve(study, provider)
    check_triplets(resolved)
    claim_results_folder(folder, study)
    run_report = RunReport(folder)
    embedded = _embed(resolved, folder, provider=provider, threads=threads, timeout_s=timeout_s, progress=progress)
    stores, run_report.failures = embedded.stores, embedded.failures
    cache = ResultCache(folder / PARTIAL_FOLDER)
    begin = on_step or (lambda _: None)
    quality = measure_recordings(resolved, cache, embedded.crashed, lambda *step: begin(StudyStep("recording", *step)))
    metadata = metadata_names(resolved.manifest.columns, TABLES["recordings"][1])
    rows: Rows = {name: [] for name in TABLES}
    rows["recordings"] = list(_recording_rows(resolved, quality, metadata, folder))
    analyses = make_analyses(resolved, stores, quality, folder)
    run_report.steps = len(analyses)
    for number, cached in enumerate(analyses):
        begin(StudyStep("analysis", str(cached.analysis), number, len(analyses)))
        run_report.kept += cache.has(cached.title, cached.depends_on)
        compute = partial(_compute, cached.analysis, stores[cached.encoder], memory_mb=memory_mb, threads=threads)
        for name, table_rows in cache.get(cached.title, cached.depends_on, compute).items():
            rows[name] += table_rows
    rows["best_variants"] = best_variant_rows(rows["summary"])
    rows["copies"] = copy_rows(stores.values(), quality, cache)
    rows["sentences"] += study_sentences(resolved, quality, rows)
    write_tables(folder / TABLES_FOLDER, rows, metadata, excel=excel)
    _write_provenance(folder, resolved, describe_run(resolved, stores, rows, run_report.failures))
    cache.remove_unused()
    remove_former_tables(folder / TABLES_FOLDER)
    remove_stale(folder)
    write_trees(folder)
    if report:
        run_report.page = _draw(folder, begin, embed_audio=embed_audio)
    run_report.wall_s = time.monotonic() - started
    return run_report


class _Embedded(NamedTuple):
    """The store of each encoder, what failed, and the recordings that earlier runs crashed on."""

    stores: dict[str, Store]
    failures: list[tuple[str, str]]
    crashed: set[str]


def _embed(
    resolved: ResolvedStudy,
    folder: Path,
    *,
    provider: str,
    threads: int | None,
    timeout_s: float,
    progress: bool | Callable[[Progress], None] | None,
) -> _Embedded:
    """Embed what is missing."""
    required = required_snippets(resolved)
    stores = {}
    failures: dict[tuple[str, str], None] = {}
    crashed: set[str] = set()
    for name, encoder in resolved.encoders.items():
        path = store_path(resolved, name, folder)
        missing = missing_snippets(resolved, encoder, path, required)
        if missing:
            logger.info(
                "%s: embedding %d of %d combinations of row and length", encoder.info.name, len(missing), len(required)
            )
        for job in embedding_jobs(required):  # all of them: `embed` also notices changes of a file's content
            embedded = embed(
                resolved.manifest,
                path,
                items=job.names,
                encoder=name,
                snippets=job.snippets,
                hop_s=resolved.study.hop_s,
                remainder=resolved.study.remainder,
                channel=resolved.study.channel,
                provider=provider,
                threads=threads,
                timeout_s=timeout_s,
                progress=progress,
            )
            crashed.update(embedded.crashed)
            failures |= dict.fromkeys(embedded.failures)
        if not is_store(path):
            raise AbxfastError(f"{path}: nothing to embed with {encoder.info.name}; every row is too short or too long")
        stores[name] = open_store(path)
    return _Embedded(stores, list(failures), crashed)


def _recording_rows(
    resolved: ResolvedStudy, quality: dict[str, AudioQuality], metadata: dict[str, str], folder: Path
) -> Iterator[Row]:
    """Yield a row per recording; a metadata column in which its rows differ stays empty."""
    items_of: dict[str, list[Item]] = {}
    for item in resolved.manifest.items:
        if item.recording in quality:
            items_of.setdefault(item.recording, []).append(item)
    for recording, items in items_of.items():
        path = relative_path(items[0].path, folder)
        row: Row = {"recording": recording, "path": path, **asdict(quality[recording])}
        for column, name in metadata.items():
            values = {item.labels.get(column) for item in items}
            row[name] = values.pop() if len(values) == 1 else None
        yield row


def _compute(analysis: Analysis, store: Store, *, memory_mb: float, threads: int | None) -> Rows:
    items = [item.item for item in analysis.selection.items]
    snippets = store.read(analysis.length_s, analysis.variant, memory_mb=memory_mb, items=items)
    return compute_tables(analysis, snippets, memory_mb=memory_mb, threads=threads)


def _write_provenance(folder: Path, resolved: ResolvedStudy, description: dict[str, Any]) -> None:
    """Write copies of the study file and the manifest, and ``run.json``."""
    study = resolved.study
    write_atomic(folder / STUDY_FILE, study.document.text.encode())
    if study.source.is_file():
        write_atomic(folder / f"manifest{study.source.suffix.lower()}", study.source.read_bytes())
    text = json.dumps(description, ensure_ascii=False, indent=1)
    write_atomic(folder / RUN_FILE, f"{text}\n".encode())


def _draw(folder: Path, begin: Callable[[StudyStep], None], *, embed_audio: bool) -> Path | None:
    """Draw the figures and write the page; return its path. Log what cannot be made without the extra ``report``."""
    try:
        draw_figures(folder, lambda done, total, title: begin(StudyStep("figure", title, done, total)))
    except MissingPackageError as error:
        logger.warning("no figures: %s", error)
    begin(StudyStep("page", "report.html", 0, 1))
    try:
        return write_report(folder, embed_audio=embed_audio)
    except MissingPackageError as error:
        logger.warning("no page: %s", error)
        return None
