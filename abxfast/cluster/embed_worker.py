"""What a worker does to embed: it opens the encoder once, and writes its parts into the store."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from distributed import Worker, WorkerPlugin, get_worker

from abxfast._files import write_atomic
from abxfast._version import __version__
from abxfast.audio import DEFAULT_TIMEOUT_S
from abxfast.cluster.running import WorkerFailure
from abxfast.embedding import CRASH_LOG_FOLDER, GPU_THREADS, CrashLog, Decoder, EncodingRun, FileContents
from abxfast.encoders import Encoder, find_encoder, open_encoder
from abxfast.errors import AbxfastError, ClusterError, StoreError
from abxfast.manifest import Manifest
from abxfast.store import Store, check_written, compact, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from abxfast.audio import SnippetPlan
    from abxfast.cluster.embed_tasks import EmbedTask
    from abxfast.embedding import Progress

_encoders: dict[tuple[str, str, float], Encoder] = {}
_encoders_lock = threading.Lock()
_opened = threading.local()
"""The store of the thread, as ``store``, and the run that it was opened for, as ``probe``."""


@dataclass(frozen=True)
class EmbedJob:
    """What all tasks of an embedding share.

    Attributes
    ----------
    root : Path
        The store.
    probe : str
        Name of a file in the store, which tells whether a worker sees the same folder as the client.
    encoder : str
        Name of an encoder, or its absolute path.
    shipped : bool
        Whether workers have the encoder from `ShippedEncoder`.
    encoder_sha256, provider : str
    plans : tuple of SnippetPlan
    channel : int or None
    timeout_s : float
    version : str
        Version of abxfast of the client.
    """

    root: Path
    probe: str
    encoder: str
    shipped: bool
    encoder_sha256: str
    provider: str
    plans: tuple[SnippetPlan, ...]
    channel: int | None
    timeout_s: float = DEFAULT_TIMEOUT_S
    version: str = __version__


class EmbedOutcome(NamedTuple):
    """What a task did: as in `EmbedReport`, and the keys of the entries that were finished, and that failed."""

    snippets: int
    skipped: int
    embedded: int
    audio_s: float
    failures: list[tuple[str, str]]
    crashed: list[str]
    finished_keys: set[str]
    failed_keys: set[str]


class Tidying(NamedTuple):
    """What is left to do when all tasks are done: entries to remove, and those that must be complete then."""

    failed_keys: tuple[str, ...]
    finished_keys: tuple[str, ...]


class WorkerCheck(NamedTuple):
    """Whether a worker can embed: what runs the encoder, or what is missing."""

    provider: str
    problem: str | None


class ShippedEncoder(WorkerPlugin):  # type: ignore[misc]
    """Writes an encoder into the local folder of each worker, also of those that join later.

    Parameters
    ----------
    content : bytes
    sha256 : str
    """

    idempotent = True

    def __init__(self, content: bytes, sha256: str) -> None:
        self.name = f"abxfast-{sha256}"
        self._content = content
        self._sha256 = sha256

    def setup(self, worker: Worker) -> None:
        """Write the file."""
        write_atomic(_shipped_path(worker, self._sha256), self._content)

    def teardown(self, worker: Worker) -> None:
        """Remove the file."""
        _shipped_path(worker, self._sha256).unlink(missing_ok=True)


class _Cancelled(Exception):  # noqa: N818
    """The client has cancelled the task, or is gone."""


async def check_worker(job: EmbedJob, folders: Collection[Path], dask_worker: Worker) -> WorkerCheck:
    """Open the encoder and look for the store and the folders of the recordings; Dask passes `dask_worker`."""

    def check() -> WorkerCheck:
        try:
            encoder = _open_encoder(job, dask_worker)
            _check_store(job)
            missing = [folder for folder in folders if not folder.is_dir()]
            if missing:
                raise ClusterError(f"cannot see {missing[0]}; put the recordings on a drive that all workers share")
        except AbxfastError as error:
            return WorkerCheck("", str(error))
        return WorkerCheck(encoder.provider, None)

    return await asyncio.to_thread(check)


def embed_task(job: EmbedJob, task: EmbedTask) -> EmbedOutcome | WorkerFailure | None:
    """Embed what the store lacks of a task; return None if the task is cancelled meanwhile."""
    worker = get_worker()
    try:
        encoder, store = _open_encoder(job, worker), _open_store(job)
        with CrashLog(job.root / CRASH_LOG_FOLDER) as crash_log:
            decoder = Decoder(
                Manifest(task.items),
                store,
                FileContents(store),
                encoder.info,
                job.plans,
                job.channel,
                _cancellation(worker),
                crash_log=crash_log,
                timeout_s=job.timeout_s,
                span=task.span,
            )
            run = EncodingRun(store, encoder, crash_log)
            run.run(decoder, GPU_THREADS if encoder.batches else 1, flush_first=False)
    except _Cancelled:
        return None
    except AbxfastError as error:
        return WorkerFailure(worker.address, error, elsewhere=isinstance(error, StoreError))
    return EmbedOutcome(
        snippets=run.n_snippets,
        skipped=decoder.skipped,
        embedded=run.n_recordings,
        audio_s=decoder.audio_s,
        failures=run.failures,
        crashed=decoder.crashed,
        finished_keys=run.finished_keys,
        failed_keys=run.failed_keys,
    )


def tidy(job: EmbedJob, tidying: Tidying) -> WorkerFailure | None:
    """Merge the parts that the tasks have written, and read them back."""
    try:
        store = open_store(job.root)
        compact(store, drop=tidying.failed_keys)
        check_written(store, tidying.finished_keys)
    except AbxfastError as error:
        return WorkerFailure(get_worker().address, error, elsewhere=isinstance(error, StoreError))
    return None


def _cancellation(worker: Worker) -> Callable[[Progress], None]:
    """Return a function that raises `_Cancelled`, in any thread, once the current task is cancelled."""
    key = worker.get_current_task()

    def stop_if_cancelled(_: Progress) -> None:
        state = worker.state.tasks.get(key)
        if state is None or state.state == "cancelled":
            raise _Cancelled

    return stop_if_cancelled


def _open_encoder(job: EmbedJob, worker: Worker) -> Encoder:
    """Return the encoder, which the worker's process opens once."""
    if job.version != __version__:
        raise ClusterError(f"has abxfast {__version__}, the client has {job.version}; install the same version on both")
    with _encoders_lock:
        known = _encoders.get((job.encoder_sha256, job.provider, job.timeout_s))
        if known is not None:
            return known
        path = _shipped_path(worker, job.encoder_sha256) if job.shipped else Path(job.encoder)
        if path.is_absolute() and not path.is_file():
            raise ClusterError(f"cannot see the encoder {path}; pass `ship_encoder`")
        encoder = open_encoder(
            path if path.is_absolute() else find_encoder(job.encoder), job.provider, timeout_s=job.timeout_s
        )
        if encoder.sha256 != job.encoder_sha256:
            raise ClusterError(f"{encoder.path}: is another file than the client's; pass `ship_encoder`")
        _encoders[job.encoder_sha256, job.provider, job.timeout_s] = encoder
        return encoder


def _open_store(job: EmbedJob) -> Store:
    """Return the store of this thread. What other workers write meanwhile is not read again: their tasks differ."""
    if getattr(_opened, "probe", None) != job.probe:
        _check_store(job)
        _opened.store = open_store(job.root)
        _opened.probe = job.probe
    store: Store = _opened.store
    return store


def _check_store(job: EmbedJob) -> None:
    if not (job.root / job.probe).exists():
        raise ClusterError(f"cannot see the store {job.root}; choose a folder that all workers share for `store`")


def _shipped_path(worker: Worker, sha256: str) -> Path:
    return Path(worker.local_directory).absolute() / f"abxfast-{sha256}.onnx"
