"""From recordings to vectors in a store: decoding, resampling and inference at the same time, in bounded memory."""

from __future__ import annotations

import logging
import math
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from abxfast._threads import usable_threads
from abxfast.audio import DEFAULT_TIMEOUT_S, SnippetPlan, make_plans, parse_channel
from abxfast.embedding.contents import FileContents
from abxfast.embedding.crash_log import FOLDER_NAME, CrashLog
from abxfast.embedding.decoder import Decoder
from abxfast.embedding.encoding import EncodingRun
from abxfast.embedding.progress import Progress, progress_bar
from abxfast.embedding.recognition import Recogniser
from abxfast.embedding.renaming import carry_labels, report_copies, take_over
from abxfast.embedding.report import EmbedReport
from abxfast.encoders import DEFAULT_ENCODER, open_encoder
from abxfast.errors import AbxfastError, StoreError, TaskError
from abxfast.manifest import Manifest, load_manifest
from abxfast.store import Store, check_written, compact, create_store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from abxfast.encoders import EncoderInfo

logger = logging.getLogger(__name__)

GPU_THREADS = 2
"""Batches in flight on a GPU: one runs while the next is copied; more would only cost memory."""


def embed(
    paths_or_manifest: str | Path | Sequence[str | Path] | Manifest,
    store: str | Path,
    *,
    encoder: str | Path = DEFAULT_ENCODER,
    snippets: Sequence[float | str] = (10.0,),
    hop_s: float | None = None,
    remainder: str = "drop",
    channel: str = "mix",
    provider: str = "auto",
    threads: int | None = None,
    items: Collection[str] | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    progress: bool | Callable[[Progress], None] | None = None,
) -> EmbedReport:
    """Embed recordings into a store; if it exists, embed only what is missing or has changed.

    The store recognises a recording by its content: one that was renamed or moved, or that a manifest names otherwise,
    is renamed in the store and not embedded again. Two files of the same content are two recordings. Files of a folder
    that the store has from a manifest keep their names and labels.

    Parameters
    ----------
    paths_or_manifest : path, sequence of paths, or Manifest
        A folder, audio files, or one table (see `abxfast.manifest.read_manifest`); or a manifest already read.
    store : path
        The folder of the store, created if it does not exist.
    encoder : str or path
        ``"mfcc"``, an ONNX file, or the name of one in the user's data folder.
    snippets : sequence of float or str
        Lengths in seconds, or ``"whole"`` for one snippet per item.
    hop_s : float, optional
        Seconds from the start of one snippet to that of the next, by default the length.
    remainder : {'drop', 'keep'}
        Whether to keep a shorter snippet at the end.
    channel : str
        ``"mix"`` for the mean of all channels, or the number of one, from ``"0"``.
    provider : str
        What runs the encoder: ``"auto"``, ``"cpu"``, ``"cuda"`` …
    threads : int, optional
        Snippets to encode at the same time, or batches on a GPU; by default the number of processors, and 2 on a GPU.
        On a CPU it does not change the vectors.
    items : collection of str, optional
        Items of the manifest to embed, by default all.
    timeout_s : float
        Seconds that decoding 2 s of a recording, or encoding a snippet, may take; a recording that takes longer fails.
    progress : bool or callable, optional
        ``True`` shows a progress bar on a terminal or in a notebook. A callable receives a `Progress` now and then,
        from another thread.

    Returns
    -------
    EmbedReport
        Also if single recordings failed; it names each with its reason.

    Raises
    ------
    AbxfastError
        If the embedding cannot start, because of invalid parameters, no audio, or a store of another encoder; or if
        the store cannot be written.

    Examples
    --------
    >>> import abxfast
    >>> report = abxfast.embed("recordings.csv", "lengths.store", snippets=[2, 10], progress=True)
    >>> report.encoder, report.recordings, report.failures
    ('mfcc', 12, [])

    The store can be extended at any time. Only the new length is computed:

    >>> report = abxfast.embed("recordings.csv", "lengths.store", snippets=[2, 5, 10])
    >>> report.snippets == 12 * 60 // 5
    True
    """
    started = time.monotonic()
    plans = make_plans(snippets, hop_s, remainder)
    channel_number = parse_channel(channel)
    if threads is not None and threads < 1:
        raise AbxfastError(f"`threads`: found {threads}, expected 1 or more")
    if not 0 < timeout_s < math.inf:
        raise AbxfastError(f"`timeout_s`: found {timeout_s}, expected seconds above 0")
    manifest = paths_or_manifest if isinstance(paths_or_manifest, Manifest) else load_manifest(paths_or_manifest)
    opened = open_encoder(encoder, provider, timeout_s=timeout_s)
    check_lengths(opened.info, plans)
    target = create_store(Path(store), opened)
    check_plans(target, plans, channel_number)
    contents = FileContents(target)
    chosen = manifest.items if items is None else tuple(item for item in manifest.items if item.item in items)
    keep_names = manifest.names_from_paths and manifest is not paths_or_manifest
    names = {item.item for item in manifest.items}
    recognition = Recogniser(target, contents, channel_number, names, keep_names=keep_names).recognise(chosen)
    manifest = carry_labels(manifest, recognition, target)
    with (
        CrashLog(target.root / FOLDER_NAME) as crash_log,
        progress_bar() if progress is True else nullcontext(progress or None) as callback,
    ):
        run = EncodingRun(target, opened, crash_log)
        try:
            target.save_manifest(manifest)
            take_over(target, recognition, plans)
            decoder = Decoder(
                manifest,
                target,
                contents,
                opened.info,
                plans,
                channel_number,
                callback,
                crash_log=crash_log,
                timeout_s=timeout_s,
            )
            run.run(decoder, threads or (GPU_THREADS if opened.batches else usable_threads()))
        finally:
            _tidy(target, run.failed_keys)
    check_written(target, run.finished_keys - run.failed_keys)
    report_copies(target, manifest)
    return EmbedReport(
        encoder=opened.info.name,
        provider=opened.provider,
        recordings=decoder.recordings,
        snippets=run.n_snippets,
        skipped=decoder.skipped,
        embedded=run.n_recordings,
        audio_s=decoder.audio_s,
        wall_s=time.monotonic() - started,
        failures=run.failures,
        renamed=recognition.renamed,
        crashed=decoder.crashed,
    )


def check_lengths(info: EncoderInfo, plans: Sequence[SnippetPlan]) -> None:
    """Refuse snippets that are longer than the encoder takes.

    Raises
    ------
    TaskError
        If there are any.
    """
    for plan in plans:
        reason = None if plan.length_s is None else info.describe_too_long(plan.length_s)
        if reason:
            raise TaskError(f"`snippets`: found {plan.length_s:g}, but {reason}; choose shorter snippets")


def _tidy(store: Store, failed_keys: set[str]) -> None:
    """Merge small parts; where that cannot be written, as on a full disk, the store is complete without it."""
    try:
        compact(store, drop=failed_keys)
    except StoreError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        logger.warning("%s; small files were not merged, which the next run does", error)


def check_plans(store: Store, plans: Sequence[SnippetPlan], channel: int | None) -> None:
    """Refuse snippets of a length that the store cuts otherwise: mixed, they could not be scored.

    Raises
    ------
    StoreError
        If the store has entries of the same length and another hop, remainder or channel.
    """
    plan_by_length = {plan.length_s: plan for plan in plans}
    for key in store.current_entries().values():
        entry = store.entries[key].entry
        plan = plan_by_length.get(entry.plan.length_s, entry.plan)
        if plan != entry.plan:
            raise StoreError(
                f"{store.root}: holds snippets cut as {entry.plan}, asked for {plan}; "
                "keep `hop_s` and `remainder`, or choose a new folder for `store`"
            )
        if channel != entry.channel:
            stored, asked = ("mix" if number is None else str(number) for number in (entry.channel, channel))
            raise StoreError(
                f"{store.root}: holds snippets of `channel='{stored}'`, asked for {asked}; "
                "choose a new folder for `store`"
            )
