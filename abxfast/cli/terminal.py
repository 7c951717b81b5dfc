"""What is printed: log lines on stderr, results on stdout. Imports lazily."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

import typer

from abxfast._files import to_printable
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
        lines = "\n".join(map(to_printable, value.split("\n")))
        typer.echo(f"{to_printable(word):<{width}}  {lines}")


def format_json(value: object) -> str:
    """Return a value as readable JSON."""
    import json

    return json.dumps(value, ensure_ascii=False, indent=1)


@contextlib.contextmanager
def cli_logging(*, quiet: bool, verbose: bool) -> Iterator[Console]:
    """Print log records on stderr; what C libraries write is discarded, on stderr unless `verbose`."""
    import logging

    from rich.console import Console

    logger = logging.getLogger("abxfast")
    with _discard_native("stdout"), contextlib.nullcontext() if verbose else _discard_native("stderr"):
        console = Console(stderr=True)
        handler = _console_handler(console)
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING if quiet else logging.INFO)
        try:
            yield console
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)


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
def _discard_native(name: str) -> Iterator[None]:
    """Keep C libraries from writing to the file descriptor of ``stdout`` or ``stderr``.

    On stderr, abxfast reports what they say in a line of its own; on stdout, it would be taken for a result.
    """
    original, number = getattr(sys, name), {"stdout": 1, "stderr": 2}[name]
    try:
        original.flush()
        saved = os.dup(number)
    except (OSError, ValueError):
        yield
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    stream = os.fdopen(
        os.dup(saved), "w", encoding=original.encoding, errors=original.errors, buffering=1 if name == "stderr" else -1
    )
    setattr(sys, name, stream)
    try:
        yield
        stream.flush()  # an error of the disk or pipe is raised here, not swallowed
    finally:
        setattr(sys, name, original)
        with contextlib.suppress(OSError):
            stream.close()
        os.dup2(saved, number)
        os.close(saved)
        os.close(null)
