"""The progress of ``abxfast run``: a bar on a terminal; elsewhere a line a step, and one each minute."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Protocol

from abxfast.cli.terminal import inform
from abxfast.embedding import format_clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from abxfast.embedding import Progress
    from abxfast.study import StudyStep

_TITLE_WIDTH = 48
HEARTBEAT_S = 60.0
"""Longest silence where there is no terminal, in seconds."""
_KINDS_IN_ONE_LINE = ("recording", "figure")
"""Kinds of steps that are quick and many: only the first of each gets a line."""


class RunProgress(Protocol):
    """What shows how far a run is: `embedding` and `step` are the callbacks of `abxfast.run_study`."""

    def embedding(self, state: Progress) -> None:
        """Show the progress of the embedding."""

    def step(self, step: StudyStep) -> None:
        """Show the step that begins."""


@contextlib.contextmanager
def run_progress(console: Console, *, quiet: bool) -> Iterator[RunProgress | None]:
    """Show the progress of a run on `console`; nothing if `quiet`.

    Yields
    ------
    RunProgress or None
    """
    if quiet:
        yield None
    elif console.is_terminal:
        yield from _show_bar(console)
    else:
        lines = ProgressLines()
        lines.start()
        try:
            yield lines
        finally:
            lines.stop()


def _show_bar(console: Console) -> Iterator[RunProgress]:
    from rich import progress

    columns = (
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.TextColumn("{task.fields[amount]}"),
        progress.TimeElapsedColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("reading the study", total=None, amount="")

        class Bar:
            def embedding(self, state: Progress) -> None:
                bar.update(
                    task,
                    description=f"embedding {state.recording[-_TITLE_WIDTH:]}",
                    completed=state.done_s,
                    total=state.total_s,
                    amount=f"{format_clock(state.done_s)} / {format_clock(state.total_s)} of audio",
                )

            def step(self, step: StudyStep) -> None:
                bar.update(
                    task,
                    description=f"{step.kind} {step.title[-_TITLE_WIDTH:]}",
                    completed=step.done,
                    total=step.total,
                    amount=f"{step.done} / {step.total}",
                )

        yield Bar()


class ProgressLines:
    """Prints a line for each step, and each minute one that says what still goes on."""

    def __init__(self) -> None:
        self._kind = ""
        self._state = "reading the study"
        self._started = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="progress", daemon=True)

    def start(self) -> None:
        """Begin to print a line each minute."""
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._stopped.set()
        self._thread.join()

    def embedding(self, state: Progress) -> None:
        """Note the progress of the embedding."""
        clock = f"{format_clock(state.done_s)} of {format_clock(state.total_s)} of audio"
        self._state, self._kind = f"embedding, {clock}: {state.recording}", "embedding"

    def step(self, step: StudyStep) -> None:
        """Print a line, if the step deserves one."""
        if step.kind not in _KINDS_IN_ONE_LINE:
            inform(str(step))
        elif step.kind != self._kind:
            verb = "measuring" if step.kind == "recording" else "drawing"
            inform(f"{verb} {step.total} {step.kind}{'s' * (step.total != 1)}")
        self._state, self._kind = str(step), step.kind

    def say_what_goes_on(self) -> None:
        """Print the line of each minute."""
        inform(f"after {format_clock(time.monotonic() - self._started)}: {self._state}")

    def _beat(self) -> None:
        while not self._stopped.wait(HEARTBEAT_S):
            self.say_what_goes_on()
