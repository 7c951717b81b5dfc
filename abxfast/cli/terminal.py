"""What is printed: log lines on stderr, results on stdout. Imports lazily."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

import typer

from abxfast.cli.messages import to_command_line

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from abxfast.embedding import Progress


def inform(line: str) -> None:
    """Print a line on stderr, unless -q was given."""
    import logging

    logging.getLogger("abxfast.cli").info("%s", line)


def print_pairs(pairs: list[tuple[str, str]], *, as_json: bool) -> None:
    """Print pairs of a word and a value on stdout, as two columns or as JSON."""
    if as_json:
        typer.echo(format_json(dict(pairs)))
        return
    width = max(len(word) for word, _ in pairs)
    for word, value in pairs:
        typer.echo(f"{word:<{width}}  {value}")


def format_json(value: object) -> str:
    """Return a value as readable JSON."""
    import json

    return json.dumps(value, ensure_ascii=False, indent=1)


@contextlib.contextmanager
def cli_logging(*, quiet: bool, verbose: bool) -> Iterator[Console]:
    """Print log records on stderr; what C libraries write there is discarded unless `verbose`."""
    import logging

    from rich.console import Console

    logger = logging.getLogger("abxfast")
    with contextlib.nullcontext() if verbose else _discard_native_stderr():
        console = Console(stderr=True)
        handler = _console_handler(console)
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING if quiet else logging.INFO)
        try:
            yield console
        finally:
            logger.removeHandler(handler)


@contextlib.contextmanager
def cli_progress(console: Console, *, quiet: bool) -> Iterator[Callable[[Progress], None] | None]:
    """Show a progress bar, on a terminal and unless `quiet`."""
    if quiet or not console.is_terminal:
        yield None
        return
    from abxfast.embedding import progress_bar

    with progress_bar(console) as callback:
        yield callback


def _console_handler(console: Console) -> logging.Handler:
    """Return a handler that prints plain lines above a progress bar; of equal lines that are no warnings, the first."""
    import logging

    class ConsoleHandler(logging.Handler):
        def __init__(self) -> None:
            super().__init__()
            self._printed: set[str] = set()

        def emit(self, record: logging.LogRecord) -> None:
            line = to_command_line(record.getMessage())
            if record.levelno < logging.WARNING:
                if line in self._printed:
                    return
                self._printed.add(line)
            else:
                line = f"abxfast: {line}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    return ConsoleHandler()


@contextlib.contextmanager
def _discard_native_stderr() -> Iterator[None]:
    """Keep decoders from writing to file descriptor 2 what abxfast reports in a line of its own."""
    original = sys.stderr
    try:
        saved = os.dup(2)
    except OSError:
        yield
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    sys.stderr = os.fdopen(os.dup(saved), "w", encoding=original.encoding, errors=original.errors, buffering=1)
    try:
        yield
    finally:
        sys.stderr.close()
        sys.stderr = original
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)
