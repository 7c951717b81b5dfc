"""Cutting: the snippets of a recording, exact in samples, cut from a stream of blocks."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.audio.snippet_plan import END_SLACK_S, MAX_WHOLE_S, SnippetPlan, describe_too_long

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray


class Stretch(NamedTuple):
    """One item under one plan, in samples at the encoder's rate; `stop` is ``None`` for the end of the recording."""

    start: int
    stop: int | None
    plan: SnippetPlan


@dataclass(frozen=True, eq=False, slots=True)
class Snippet:
    """A snippet on its way to the encoder.

    Attributes
    ----------
    stretch : int
        Index of the stretch that it was cut from.
    index : int
        Its place among the snippets of that stretch, counted from 0.
    start, stop : int
        Samples at the encoder's rate, from the start of the recording.
    samples : ndarray of float32, shape (stop − start,)
        The waveform.
    """

    stretch: int
    index: int
    start: int
    stop: int
    samples: NDArray[np.float32]


class CutResult(NamedTuple):
    """The outcome for one stretch: the number of its snippets, and why it cannot be used, if it cannot."""

    snippets: int
    problem: str | None


class _Window(NamedTuple):
    """The samples of the next snippet of a stretch; windows sort by their end."""

    stop: int
    start: int
    stretch: int


class Cutter:
    """Cut all stretches of one recording in a single pass over its blocks.

    No more of the recording is held than its longest open window needs.

    Parameters
    ----------
    stretches : sequence of Stretch
        The stretches to cut.
    rate_hz : int
        The encoder's sampling rate.
    min_samples : int
        The fewest samples that the encoder accepts.
    """

    def __init__(self, stretches: Sequence[Stretch], rate_hz: int, min_samples: int) -> None:
        self._stretches = stretches
        self._rate_hz = rate_hz
        self._min_samples = min_samples
        self._max_whole_samples = round((MAX_WHOLE_S + END_SLACK_S) * rate_hz)
        # For each stretch: snippets cut, end of the last window cut or dropped, and why it cannot be used.
        self._counts = [0] * len(stretches)
        self._last_stops = [0] * len(stretches)
        self._problems = [self._describe_plan_problem(stretch.plan) for stretch in stretches]
        self._buffer: NDArray[np.float32] = np.empty(0, np.float32)
        self._buffer_start = 0
        # A heap of one window for each stretch that has any left.
        self._windows = [
            self._window(index, stretch.start)
            for index, stretch in enumerate(stretches)
            if self._problems[index] is None
        ]
        heapify(self._windows)

    @property
    def position(self) -> int:
        """Samples of the recording fed so far."""
        return self._buffer_start + len(self._buffer)

    def feed(self, block: NDArray[np.float32]) -> Iterator[Snippet]:
        """Append the next samples, float32 ``(n,)``, and yield the snippets that they complete."""
        self._buffer = np.concatenate((self._buffer, block)) if len(self._buffer) else block
        position = self.position
        while self._windows and self._windows[0].stop <= position:
            window = heappop(self._windows)
            plan = self._stretches[window.stretch].plan
            if plan.length_s is None and window.stop - window.start > self._max_whole_samples:
                self._problems[window.stretch] = describe_too_long(f"over {MAX_WHOLE_S:g} s")
                continue
            yield from self._cut(window)
            next_start = self._next_start(window.stretch)
            if next_start is not None:
                heappush(self._windows, self._window(window.stretch, next_start))
        # The next window of a stretch starts later than its open one: nothing before the earliest start is needed.
        first_needed = min((window.start for window in self._windows), default=position)
        n_unneeded = min(max(first_needed - self._buffer_start, 0), len(self._buffer))
        self._buffer = self._buffer[n_unneeded:].copy() if n_unneeded else self._buffer
        self._buffer_start += n_unneeded

    def finish(self) -> Iterator[Snippet]:
        """Yield the snippets that the end of the recording completes: whole items, and remainders that are kept."""
        end = self.position
        slack = round(END_SLACK_S * self._rate_hz)
        for index, stretch in enumerate(self._stretches):
            if self._problems[index] is None and stretch.stop is not None and stretch.stop > end + slack:
                self._problems[index] = self._describe_beyond_end("ends", stretch.stop)
        for window in sorted(self._windows):
            if self._problems[window.stretch] is None and self._last_stops[window.stretch] < end:
                yield from self._cut(window._replace(stop=min(window.stop, end)))
        self._windows.clear()

    def results(self) -> list[CutResult]:
        """Return the outcome for each stretch, once the recording has been fed to its end."""
        results = []
        for stretch, count, problem in zip(self._stretches, self._counts, self._problems, strict=True):
            reason = self._describe_no_snippet(stretch) if problem is None and count == 0 else problem
            results.append(CutResult(count, reason))
        return results

    def _window(self, index: int, start: int) -> _Window:
        """Return the window of a stretch that begins at `start`; it ends no later than the stretch."""
        stretch = self._stretches[index]
        length_s = stretch.plan.length_s
        # The window of a whole item is one sample longer than an item may be: one that fills it is too long.
        length = self._max_whole_samples + 1 if length_s is None else round(length_s * self._rate_hz)
        return _Window(start + length if stretch.stop is None else min(start + length, stretch.stop), start, index)

    def _next_start(self, index: int) -> int | None:
        """Return where the next window starts, counted from the start of the stretch, so that rounding never drifts.

        ``None`` once a window has reached the end of the stretch: another would contain nothing new.
        """
        stretch = self._stretches[index]
        if stretch.plan.hop_s is None or (stretch.stop is not None and self._last_stops[index] >= stretch.stop):
            return None
        return stretch.start + round(self._counts[index] * stretch.plan.hop_s * self._rate_hz)

    def _cut(self, window: _Window) -> Iterator[Snippet]:
        """Yield the snippet of a window, unless it is a remainder to drop or too short for the encoder."""
        stop, start, stretch = window
        self._last_stops[stretch] = stop
        plan = self._stretches[stretch].plan
        is_full = plan.length_s is None or stop - start == round(plan.length_s * self._rate_hz)
        if stop - start < self._min_samples or not (is_full or plan.remainder == "keep"):
            return
        index = self._counts[stretch]
        self._counts[stretch] += 1
        samples = self._buffer[start - self._buffer_start : stop - self._buffer_start].copy()
        yield Snippet(stretch, index, start, stop, samples)

    def _describe_plan_problem(self, plan: SnippetPlan) -> str | None:
        if plan.length_s is None or round(plan.length_s * self._rate_hz) >= self._min_samples:
            return None
        min_s = self._min_samples / self._rate_hz
        return (
            f"a snippet of {plan.length_s:g} s is too short, the encoder needs at least {min_s:g} s; "
            "choose a longer length in `snippets`"
        )

    def _describe_no_snippet(self, stretch: Stretch) -> str:
        """Return why a stretch without any other problem has no snippet."""
        if stretch.start > self.position:
            return self._describe_beyond_end("starts", stretch.start)
        stop = self.position if stretch.stop is None else min(stretch.stop, self.position)
        length_s = max(0, stop - stretch.start) / self._rate_hz
        min_s = self._min_samples / self._rate_hz
        if stretch.plan.length_s is None or length_s < min_s:
            return f"{length_s:.3f} s long, the encoder needs at least {min_s:g} s; leave it out"
        return (
            f"{length_s:.3f} s long, too short for a snippet of {stretch.plan.length_s:g} s; "
            "choose a shorter length in `snippets`, or pass `remainder='keep'`"
        )

    def _describe_beyond_end(self, verb: str, sample: int) -> str:
        return (
            f"{verb} at {sample / self._rate_hz:g} s, but the recording ends at {self.position / self._rate_hz:.3f} s; "
            "correct the row"
        )
