"""The progress of an embedding, and a bar that shows it on a terminal or in a notebook."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from abxfast._files import to_printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

_RECORDING_WIDTH = 40
_MIN_ELAPSED_S = 0.5
"""Before that, a speed would be noise."""


@dataclass(frozen=True)
class Progress:
    """How far an embedding is.

    Attributes
    ----------
    recording : str
        The recording that is being decoded.
    done_s, total_s : float
        Seconds of audio that are done, and of all recordings, according to their headers.
    decoded_s : float
        Seconds of `done_s` that were decoded now, not found in the store.
    """

    recording: str
    done_s: float
    total_s: float
    decoded_s: float


@contextlib.contextmanager
def progress_bar(console: Console | None = None) -> Iterator[Callable[[Progress], None]]:
    """Show a progress bar: audio done, speed relative to real time, and time left.

    It is shown on a terminal and in a notebook, and removed at the end. Elsewhere nothing is printed.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to show it, by default on stderr.

    Yields
    ------
    callable
        Updates the bar from a `Progress`; pass it to `abxfast.embed` as `progress`.
    """
    # Imported here, since only a bar needs rich.
    from rich import progress  # noqa: PLC0415

    console = console or _default_console()
    columns = (
        progress.TextColumn("{task.fields[recording]}", markup=False),
        progress.BarColumn(),
        progress.TextColumn("{task.fields[clock]} of audio"),
        progress.TextColumn("{task.fields[speed]} × real time"),
        progress.TimeRemainingColumn(),
    )
    hidden = not (console.is_interactive or console.is_jupyter)
    with progress.Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("embed", total=None, recording="", clock="0:00", speed="…")

        def update(state: Progress) -> None:
            elapsed_s = bar.tasks[0].elapsed or 0.0
            bar.update(
                task,
                completed=state.done_s,
                total=state.total_s,
                recording=to_printable(state.recording)[-_RECORDING_WIDTH:],
                clock=f"{format_clock(state.done_s)} / {format_clock(state.total_s)}",
                speed=f"{state.decoded_s / elapsed_s:,.0f}" if elapsed_s > _MIN_ELAPSED_S else "…",
            )

        yield update


def format_clock(seconds: float) -> str:
    """Return seconds as ``0:05`` or ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _default_console() -> Console:
    """Return a console on stderr, drawn with ipywidgets in a notebook if they are installed."""
    from rich.console import Console  # noqa: PLC0415

    console = Console(stderr=True)
    if console.is_jupyter and find_spec("ipywidgets") is None:
        # rich would only warn; but notebooks let a carriage return overwrite a line, as terminals do.
        return Console(stderr=True, force_jupyter=False, force_terminal=True)
    return console
