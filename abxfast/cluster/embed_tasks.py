"""Cutting an embedding into tasks: some short recordings each, or a span of a long one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from abxfast.embedding import WHOLE_SPAN, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from abxfast.embedding import AudioFile
    from abxfast.manifest import Item

TASK_S = 600.0
"""Audio of a task in seconds; less if there would not be enough tasks for all workers."""
SPAN_S = 3600.0
"""Longest span of a recording in seconds. Shorter ones would cost more: each is decoded from the start on."""
TASKS_PER_THREAD = 4
MAX_ITEMS = 1_000


@dataclass(frozen=True, eq=False)
class EmbedTask:
    """Rows of a manifest to embed, of whole audio files.

    Attributes
    ----------
    items : tuple of Item
    audio_s : float
        Duration of the audio, according to its headers.
    span : Span
        The snippets to embed, by default all.
    """

    items: tuple[Item, ...]
    audio_s: float
    span: Span = WHOLE_SPAN

    @property
    def is_last(self) -> bool:
        """Whether the task has the end of its recordings."""
        return self.span.stop_s is None

    @property
    def name(self) -> str:
        """The recording, with the span of a long one."""
        if self.span == WHOLE_SPAN:
            return self.items[0].recording
        stop = "the end" if self.span.stop_s is None else f"{self.span.stop_s:g} s"
        return f"{self.items[0].recording} from {self.span.start_s:g} s to {stop}"


def make_embed_tasks(files: Sequence[AudioFile], n_threads: int) -> list[EmbedTask]:
    """Return the tasks, the longest first, so that all workers end at about the same time.

    Parameters
    ----------
    files : sequence of AudioFile
    n_threads : int
        Tasks that run at the same time.
    """
    share_s = sum(file.duration_s for file in files) / n_threads
    span_s = min(SPAN_S, max(TASK_S, share_s))
    tasks: list[EmbedTask] = []
    short: list[AudioFile] = []
    for file in files:
        if file.duration_s >= 1.5 * span_s:
            tasks += _cut(file, span_s)
        else:
            short.append(file)
    tasks += _join(short, min(TASK_S, share_s / TASKS_PER_THREAD))
    return sorted(tasks, key=lambda task: -task.audio_s)


def isolate(task: EmbedTask) -> list[EmbedTask]:
    """Return one task for each audio file of a task."""
    files = [tuple(items) for _, items in groupby(task.items, key=lambda item: item.path)]
    if len(files) == 1:
        return [task]
    return [EmbedTask(items, task.audio_s / len(files), task.span) for items in files]


def _cut(file: AudioFile, span_s: float) -> Iterator[EmbedTask]:
    """Yield equal spans of a file."""
    n_spans = round(file.duration_s / span_s)
    length_s = file.duration_s / n_spans
    starts = [round(i * length_s, 3) for i in range(n_spans)]
    for start_s, stop_s in zip(starts, [*starts[1:], None], strict=True):
        yield EmbedTask(tuple(file.items), length_s, Span(start_s, stop_s))


def _join(files: Sequence[AudioFile], task_s: float) -> Iterator[EmbedTask]:
    """Join files until a task has enough."""
    items: list[Item] = []
    audio_s = 0.0
    for file in files:
        items += file.items
        audio_s += file.duration_s
        if audio_s >= task_s or len(items) >= MAX_ITEMS:
            yield EmbedTask(tuple(items), audio_s)
            items, audio_s = [], 0.0
    if items:
        yield EmbedTask(tuple(items), audio_s)
