"""Embedding on a cluster: the client cuts the work into tasks and follows them; it never holds a vector."""

from __future__ import annotations

import logging
import secrets
import time
from collections import deque
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from abxfast._files import TEMPORARY_PREFIX, remove, write_atomic
from abxfast.audio import DEFAULT_TIMEOUT_S, make_plans, parse_channel, probe
from abxfast.cluster.connection import connect, workers_of
from abxfast.cluster.embed_tasks import EmbedTask, isolate, make_embed_tasks
from abxfast.cluster.embed_worker import EmbedJob, ShippedEncoder, Tidying, WorkerCheck, check_worker, embed_task, tidy
from abxfast.cluster.running import Killed, TaskRun
from abxfast.embedding import (
    EmbedReport,
    FileContents,
    Progress,
    Recogniser,
    carry_labels,
    check_lengths,
    check_plans,
    group_by_file,
    progress_bar,
    report_copies,
    take_over,
)
from abxfast.encoders import DEFAULT_ENCODER, open_encoder
from abxfast.errors import ClusterError, ClusterLostError
from abxfast.manifest import Manifest, load_manifest
from abxfast.store import create_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from distributed import Client

    from abxfast.embedding import AudioFile
    from abxfast.encoders import Encoder
    from abxfast.store import Store

logger = logging.getLogger(__name__)


def embed_on_cluster(
    paths_or_manifest: str | Path | Sequence[str | Path] | Manifest,
    store: str | Path,
    cluster: str | Path,
    *,
    encoder: str | Path = DEFAULT_ENCODER,
    snippets: Sequence[float | str] = (10.0,),
    hop_s: float | None = None,
    remainder: str = "drop",
    channel: str = "mix",
    provider: str = "auto",
    ship_encoder: bool = False,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    progress: bool | Callable[[Progress], None] | None = None,
) -> EmbedReport:
    """Embed recordings into a store, as `abxfast.embed` does, with the workers of a Dask cluster.

    The store holds the same rows as one made on a single machine with the same processors. Store and recordings must be
    on a drive that all workers share, under the same path. Run it again to resume, whatever has ended it.

    Parameters
    ----------
    paths_or_manifest, store, encoder, snippets, hop_s, remainder, channel, provider, timeout_s, progress
        See `abxfast.embed`. All workers must have the same provider.
    cluster : str or path
        See `abxfast.cluster.connect`.
    ship_encoder : bool
        Send the encoder to the workers, if they cannot see its file.

    Returns
    -------
    EmbedReport
        Also if single recordings failed, or ended their workers; it names each with its reason.

    Raises
    ------
    ClusterError
        If the cluster cannot be used, or a worker lacks something.
    ClusterLostError
        If the scheduler is gone.
    AbxfastError
        See `abxfast.embed`.

    Examples
    --------
    >>> from abxfast.cluster import embed_on_cluster
    >>> embed_on_cluster("recordings", "archive.store", "tcp://10.0.0.1:8786", snippets=[10])  # doctest: +SKIP
    """
    started = time.monotonic()
    plans = make_plans(snippets, hop_s, remainder)
    channel_number = parse_channel(channel)
    manifest = paths_or_manifest if isinstance(paths_or_manifest, Manifest) else load_manifest(paths_or_manifest)
    opened = open_encoder(encoder, "cpu")  # the client runs it for its header alone
    check_lengths(opened.info, plans)
    with connect(cluster) as client:
        target = create_store(Path(store).absolute(), opened)
        check_plans(target, plans, channel_number)
        contents = FileContents(target)
        keep_names = manifest.names_from_paths and manifest is not paths_or_manifest
        names = {item.item for item in manifest.items}
        recogniser = Recogniser(target, contents, channel_number, names, keep_names=keep_names)
        recognition = recogniser.recognise(manifest.items)
        manifest = carry_labels(manifest, recognition, target)
        target.save_manifest(manifest)
        take_over(target, recognition, plans)
        files = [_absolute(file) for file in group_by_file(manifest, probe)]
        with _probe(target) as probe_name:
            job = EmbedJob(
                root=target.root,
                probe=probe_name,
                encoder=DEFAULT_ENCODER if str(encoder) == DEFAULT_ENCODER else str(opened.path.absolute()),
                shipped=ship_encoder,
                encoder_sha256=opened.sha256,
                provider=provider,
                plans=plans,
                channel=channel_number,
                timeout_s=timeout_s,
            )
            with (
                _shipped(client, opened) if ship_encoder else nullcontext(),
                progress_bar() if progress is True else nullcontext(progress or None) as callback,
            ):
                report = EmbedReport(opened.info.name, _check_workers(client, job, files), recordings=len(files))
                report.renamed = recognition.renamed
                _run(client, job, files, report, callback)
    target.refresh()
    report_copies(target, manifest)
    report.wall_s = time.monotonic() - started
    return report


def _run(
    client: Client,
    job: EmbedJob,
    files: Sequence[AudioFile],
    report: EmbedReport,
    progress: Callable[[Progress], None] | None,
) -> None:
    """Run all tasks, and add up in `report` what they did."""
    tasks = make_embed_tasks(files, sum(workers_of(client).values()))
    follower = _ProgressReporter(client, sum(task.audio_s for task in tasks), progress)
    failures: dict[tuple[str, str], None] = {}
    finished_keys: set[str] = set()
    failed_keys: set[str] = set()
    run = TaskRun(client, embed_task, job, isolate)
    try:
        for outcome in run.outcomes(tasks):
            if outcome is not None:
                task, done = outcome
                found = _killed(task, done) if isinstance(done, Killed) else done.failures
                for failure in found:
                    if failure not in failures:
                        logger.warning("%s", failure[1])
                    failures[failure] = None
                if not isinstance(done, Killed):
                    report.snippets += done.snippets
                    report.skipped += done.skipped if task.is_last else 0
                    report.embedded += done.embedded if task.is_last else 0
                    report.crashed += done.crashed if task.is_last else []
                    finished_keys |= done.finished_keys
                    report.audio_s += min(done.audio_s, task.audio_s)  # a span is decoded from the start
                    failed_keys |= done.failed_keys
                follower.add(task.audio_s, report.audio_s)
            follower.show()
        tidying: TaskRun[Tidying] = TaskRun(client, tidy, job)
        deque(tidying.outcomes([Tidying(tuple(failed_keys), tuple(finished_keys - failed_keys))]), maxlen=0)
    except ClusterLostError:
        raise
    except BaseException:
        run.stop()
        raise
    report.failures = list(failures)


def _killed(task: EmbedTask, killed: Killed) -> list[tuple[str, str]]:
    path = task.items[0].path
    reason = f"{path}: {killed.deaths} workers ended while they embedded it (out of memory?); skipped {task.name}"
    return [(task.items[0].recording, reason)]


def _check_workers(client: Client, job: EmbedJob, files: Sequence[AudioFile]) -> str:
    """Return the provider of all workers; raise `ClusterError` if a worker lacks something, or they differ."""
    folders = list(dict.fromkeys(file.path.parent for file in files if file.info))
    workers_by_provider: dict[str, str] = {}
    answers = client.run(check_worker, job, folders, on_error="return")
    for address, checked in answers.items():
        if not isinstance(
            checked, WorkerCheck
        ):  # the worker is gone; others have what tasks need, or say what is missing
            continue
        if checked.problem:
            raise ClusterError(f"worker {address}: {checked.problem}")
        workers_by_provider.setdefault(checked.provider, address)
    if len(workers_by_provider) > 1:
        found = ", ".join(f"{provider} on {address}" for provider, address in workers_by_provider.items())
        raise ClusterError(f"the workers would run the encoder on different providers ({found}); choose a `provider`")
    if not workers_by_provider:
        raise ClusterError(f"`cluster`: no worker answers ({next(iter(answers.values()), 'all are gone')})")
    return next(iter(workers_by_provider))


@contextmanager
def _shipped(client: Client, encoder: Encoder) -> Iterator[None]:
    """Have the file of an encoder on all workers."""
    plugin = ShippedEncoder(encoder.path.read_bytes(), encoder.sha256)
    client.register_plugin(plugin)
    try:
        yield
    finally:
        if client.status == "running":
            client.unregister_worker_plugin(plugin.name)


@contextmanager
def _probe(store: Store) -> Iterator[str]:
    """Write a file into the store by which workers recognise it; yield its name."""
    name = f"{TEMPORARY_PREFIX}cluster-{secrets.token_hex(8)}"
    write_atomic(store.root / name, b"")
    try:
        yield name
    finally:
        remove(store.root / name)


def _absolute(file: AudioFile) -> AudioFile:
    """Return a file with absolute paths, since workers have working folders of their own."""
    return file._replace(
        path=file.path.absolute(), items=[replace(item, path=item.path.absolute()) for item in file.items]
    )


class _ProgressReporter:
    """Shows how many workers there are, and how much audio is done and left: in a bar, or else in a line a minute."""

    _LINE_S = 60.0

    def __init__(self, client: Client, total_s: float, progress: Callable[[Progress], None] | None) -> None:
        self._client = client
        self._total_s = total_s
        self._progress = progress
        self._done_s = self._decoded_s = 0.0
        self._last_line = time.monotonic()

    def add(self, audio_s: float, decoded_s: float) -> None:
        """Note that a task is done, and how much has been decoded by all."""
        self._done_s += audio_s
        self._decoded_s = decoded_s

    def show(self) -> None:
        """Call `progress`, or log a line if it is time."""
        n_workers = len(workers_of(self._client))
        if self._progress:
            self._progress(Progress(f"{n_workers} workers", self._done_s, self._total_s, self._decoded_s))
        elif time.monotonic() - self._last_line >= self._LINE_S:
            self._last_line = time.monotonic()
            done_h, left_h = self._done_s / 3600, (self._total_s - self._done_s) / 3600
            logger.info("%d workers: %.1f h of audio done, %.1f h left", n_workers, done_h, left_h)
