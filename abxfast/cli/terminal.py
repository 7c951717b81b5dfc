"""What is said on stderr: lines, and a bar that shows how far an embedding is. Imports lazily, for the command line."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from abxfast.embedding import Progress


def _lines(console: Console) -> logging.Handler:
    """Give what prints log records as plain lines above the progress bar; what is no warning, once."""
    import logging

    class Lines(logging.Handler):
        def __init__(self) -> None:
            super().__init__()
            self._said: set[str] = set()

        def emit(self, record: logging.LogRecord) -> None:
            line = " ".join(record.getMessage().split())
            if record.levelno < logging.WARNING:
                if line in self._said:
                    return
                self._said.add(line)
            line = f"abxfast: {line}" if record.levelno >= logging.WARNING else line
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    return Lines()


def say(line: str) -> None:
    """Say a line, unless -q was given."""
    import logging

    logging.getLogger("abxfast.cli.terminal").info("%s", line)


@contextlib.contextmanager
def cli_logging(*, quiet: bool, verbose: bool) -> Iterator[Console]:
    """Send log records to stderr, and what C libraries print there nowhere, unless it is asked for."""
    import logging

    from rich.console import Console

    logger = logging.getLogger("abxfast")
    with contextlib.nullcontext() if verbose else _native_silence():
        console = Console(stderr=True)
        handler = _lines(console)
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING if quiet else logging.INFO)
        try:
            yield console
        finally:
            logger.removeHandler(handler)


@contextlib.contextmanager
def _native_silence() -> Iterator[None]:
    """Keep decoders from writing to file descriptor 2 what comes as one line of our own."""
    ours = sys.stderr
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    sys.stderr = os.fdopen(os.dup(kept), "w", encoding=ours.encoding, errors=ours.errors, buffering=1)
    try:
        yield
    finally:
        sys.stderr.close()
        sys.stderr = ours
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextlib.contextmanager
def progress_bar(console: Console) -> Iterator[Callable[[Progress], None] | None]:
    """Show audio seconds done, × real time and time left; only on a terminal."""
    import logging

    if not console.is_terminal or logging.getLogger("abxfast").level > logging.INFO:
        yield None
        return
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.fields[recording]}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[clock]} of audio"),
        TextColumn("{task.fields[speed]} × real time"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("embed", total=None, recording="", clock="0:00", speed="…")

        def show(now: Progress) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            bar.update(
                task,
                completed=now.done_s,
                total=now.total_s,
                recording=now.recording[-40:],
                clock=f"{clock(now.done_s)} / {clock(now.total_s)}",
                speed=f"{now.decoded_s / elapsed:,.0f}" if elapsed > 0.5 else "…",  # noqa: PLR2004
            )

        yield show


def clock(seconds: float) -> str:
    """Give seconds as 0:05 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
