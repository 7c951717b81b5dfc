"""Snippets: which stretches of a recording become vectors, exact in samples, cut from a stream of blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from abxfast.errors import TaskError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

MAX_WHOLE_S = 60.0
"""Longest snippet of ``--snippet whole``: tokens and segments, not recordings."""
END_SLACK_S = 0.05
"""How far ``end_s`` may lie behind the end of its recording, and a whole item over the limit: annotations round."""
MIN_HOP_S = 0.001
"""Any less would be no step at all at some rates."""

Remainder = Literal["drop", "keep"]


@dataclass(frozen=True)
class SnippetPlan:
    """How items are cut: into equal lengths, or one snippet an item.

    Attributes
    ----------
    length_s : float or None
        Length in seconds; ``None`` makes one snippet of each whole item.
    hop_s : float or None
        From one start to the next; ``None`` for whole items.
    remainder : {'drop', 'keep'}
        What becomes of a last snippet that is shorter than `length_s`.
    """

    length_s: float | None
    hop_s: float | None
    remainder: Remainder = "drop"

    def __str__(self) -> str:
        """Give the plan in words, ``10 s every 5 s``."""
        if self.length_s is None:
            return "whole"
        hop = "" if self.hop_s == self.length_s else f" every {self.hop_s:g} s"
        return f"{self.length_s:g} s{hop}{', remainder kept' if self.remainder == 'keep' else ''}"


def make_plans(lengths: Iterable[float | str], hop_s: float | None, remainder: str) -> tuple[SnippetPlan, ...]:
    """Check what the user asks for and give a plan for each length, without repeats, in the order given.

    Parameters
    ----------
    lengths : iterable of float or str
        Seconds, or ``whole``.
    hop_s : float, optional
        Seconds from one start to the next, for every length; each length's own unless given.
    remainder : {'drop', 'keep'}
        What becomes of the last, shorter one.

    Raises
    ------
    TaskError
        Where one of them makes no sense.
    """
    if remainder not in ("drop", "keep"):
        raise TaskError(f"`remainder`: found {remainder!r}, expected drop or keep")
    if hop_s is not None and not (math.isfinite(hop_s) and hop_s >= MIN_HOP_S):
        raise TaskError(f"`hop_s`: found {hop_s}, expected seconds, {MIN_HOP_S} at least")
    plans: dict[SnippetPlan, None] = {}
    for length in [lengths] if isinstance(lengths, str) else lengths:
        seconds = parse_length(length)
        if seconds is None:
            plans[SnippetPlan(None, None)] = None
        else:
            kept: Remainder = "keep" if remainder == "keep" else "drop"
            plans[SnippetPlan(seconds, seconds if hop_s is None else float(hop_s), kept)] = None
    if not plans:
        raise TaskError("`snippets`: none given, expected seconds or whole")
    return tuple(plans)


def parse_length(length: float | str) -> float | None:
    """Give the seconds that ``10`` or ``"10"`` names, ``None`` for ``whole``.

    Raises
    ------
    TaskError
        Where it is neither.
    """
    if length == "whole":
        return None
    try:
        seconds = float(length)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise TaskError(f"`snippets`: found {length!r}, expected seconds above 0, or whole")
    return seconds


class Stretch(NamedTuple):
    """One item under one plan, in samples of the encoder's rate; `stop` is ``None`` up to the end of the recording."""

    start: int
    stop: int | None
    plan: SnippetPlan


@dataclass(frozen=True, eq=False, slots=True)
class Snippet:
    """A snippet on its way to the encoder.

    Attributes
    ----------
    stretch : int
        Which of the stretches it was cut from.
    index : int
        Its place among the snippets of that stretch, counted from 0.
    start, stop : int
        Samples of the encoder's rate, from the start of the recording.
    samples : ndarray of float32, shape (stop − start,)
        The waveform.
    """

    stretch: int
    index: int
    start: int
    stop: int
    samples: NDArray[np.float32]


class CutResult(NamedTuple):
    """What became of one stretch: how many snippets it gave, or why it cannot be used."""

    snippets: int
    problem: str | None


class Cutter:
    """Cuts all the stretches of one recording in a single pass over its blocks.

    Holds no more of the recording than its longest open snippet needs.

    Parameters
    ----------
    stretches : sequence of Stretch
        What to cut.
    rate_hz : int
        The encoder's rate.
    least : int
        The encoder's least samples.
    """

    def __init__(self, stretches: Sequence[Stretch], rate_hz: int, least: int) -> None:
        self._stretches = stretches
        self._rate_hz = rate_hz
        self._least = least
        self._taken = [0] * len(stretches)
        self._reached = [0] * len(stretches)
        self._problems = [self._impossible(stretch.plan) for stretch in stretches]
        self._buffer: NDArray[np.float32] = np.empty(0, np.float32)
        self._buffer_start = 0
        # The open window of each stretch, (stop, start, stretch): the one that ends first is cut first.
        self._open = [
            (self._stop(number, stretch.start), stretch.start, number)
            for number, stretch in enumerate(stretches)
            if self._problems[number] is None
        ]
        heapify(self._open)

    @property
    def position(self) -> int:
        """Samples of the recording seen so far."""
        return self._buffer_start + len(self._buffer)

    def feed(self, block: NDArray[np.float32]) -> Iterator[Snippet]:
        """Take the next samples, give the snippets that they complete."""
        self._buffer = np.concatenate((self._buffer, block)) if len(self._buffer) else block
        position = self.position
        while self._open and self._open[0][0] <= position:
            stop, start, number = heappop(self._open)
            if self._stretches[number].plan.length_s is None and stop - start > self._most_whole:
                self._problems[number] = _too_long(None)
                continue
            yield from self._cut(number, start, stop)
            following = self._following(number)
            if following is not None:
                heappush(self._open, (self._stop(number, following), following, number))
        # Each stretch has one open window, and its next one starts later: nothing before the earliest is needed.
        keep = min((start for _, start, _ in self._open), default=position)
        drop = min(max(keep - self._buffer_start, 0), len(self._buffer))
        self._buffer = self._buffer[drop:].copy() if drop else self._buffer
        self._buffer_start += drop

    def finish(self) -> Iterator[Snippet]:
        """Give the snippets that the end of the recording completes: whole items, and remainders if they are kept."""
        end = self.position
        slack = round(END_SLACK_S * self._rate_hz)
        for number, stretch in enumerate(self._stretches):
            if self._problems[number] is None and stretch.stop is not None and stretch.stop > end + slack:
                self._problems[number] = self._beyond("ends", stretch.stop)
        for stop, start, number in sorted(self._open):
            if self._problems[number] is None and self._reached[number] < end:
                yield from self._cut(number, start, min(stop, end))
        self._open.clear()

    def results(self) -> list[CutResult]:
        """Say what became of each stretch, once the recording has been fed to its end."""
        out = []
        for number, (stretch, taken) in enumerate(zip(self._stretches, self._taken, strict=True)):
            problem = self._problems[number]
            if problem is None and taken == 0 and stretch.start > self.position:
                problem = self._beyond("starts", stretch.start)
            elif problem is None and taken == 0:
                stop = self.position if stretch.stop is None else min(stretch.stop, self.position)
                problem = self._too_short(stretch.plan, max(0, stop - stretch.start) / self._rate_hz)
            out.append(CutResult(taken, problem))
        return out

    @property
    def _most_whole(self) -> int:
        return round((MAX_WHOLE_S + END_SLACK_S) * self._rate_hz)

    def _impossible(self, plan: SnippetPlan) -> str | None:
        if plan.length_s is None or round(plan.length_s * self._rate_hz) >= self._least:
            return None
        least_s = self._least / self._rate_hz
        return f"--snippet {plan.length_s:g} is too short, the encoder needs {least_s:g} s at least"

    def _beyond(self, verb: str, sample: int) -> str:
        return (
            f"{verb} at {sample / self._rate_hz:g} s, but the recording ends at {self.position / self._rate_hz:.3f} s; "
            "correct the row"
        )

    def _too_short(self, plan: SnippetPlan, length_s: float) -> str:
        least_s = self._least / self._rate_hz
        if plan.length_s is None or length_s < least_s:
            return f"{length_s:.3f} s long, the encoder needs {least_s:g} s at least; leave it out"
        return (
            f"{length_s:.3f} s long, too short for a snippet of {plan.length_s:g} s; "
            "take a shorter --snippet, or --remainder keep"
        )

    def _stop(self, number: int, start: int) -> int:
        """Give the sample at which the window that starts at `start` ends, at the end of its stretch at the latest."""
        stretch = self._stretches[number]
        length_s = stretch.plan.length_s
        # A whole item that reaches its bound is one sample too long.
        length = self._most_whole + 1 if length_s is None else round(length_s * self._rate_hz)
        return start + length if stretch.stop is None else min(start + length, stretch.stop)

    def _following(self, number: int) -> int | None:
        """Give the start of the next window: counted from the start of the stretch, so that nothing drifts.

        There is none behind a window that reaches the end of its stretch: it would hold nothing new.
        """
        stretch = self._stretches[number]
        if stretch.plan.hop_s is None or (stretch.stop is not None and self._reached[number] >= stretch.stop):
            return None
        return stretch.start + round(self._taken[number] * stretch.plan.hop_s * self._rate_hz)

    def _cut(self, number: int, start: int, stop: int) -> Iterator[Snippet]:
        """Give the snippet of this window, unless it is a remainder to drop or shorter than the encoder takes."""
        self._reached[number] = stop
        plan = self._stretches[number].plan
        full = plan.length_s is None or stop - start == round(plan.length_s * self._rate_hz)
        if stop - start < self._least or not (full or plan.remainder == "keep"):
            return
        index = self._taken[number]
        self._taken[number] += 1
        samples = self._buffer[start - self._buffer_start : stop - self._buffer_start].copy()
        yield Snippet(number, index, start, stop, samples)


def check_whole(length_s: float) -> str | None:
    """Say what is wrong with a whole item of this length, known before anything is decoded; ``None`` if nothing is."""
    return _too_long(length_s) if length_s > MAX_WHOLE_S + END_SLACK_S else None


def _too_long(length_s: float | None) -> str:
    found = f"over {MAX_WHOLE_S:g} s" if length_s is None else f"{length_s:.1f} s"
    return (
        f"{found} long, --snippet whole takes {MAX_WHOLE_S:g} s at most; cut it into rows with start_s and end_s, "
        "or take --snippet 10"
    )
