"""A file that comes into being beside its place, and is there whole or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from abxfast.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def aside_of(path: Path) -> Iterator[Path]:
    """Give a place for the file, beside the one that it is to have, of which nothing is left."""
    with disk_errors(path):
        made = TemporaryDirectory(prefix=f"{path.name}.making-", dir=path.parent, ignore_cleanup_errors=True)
    with made as folder:
        yield Path(folder) / path.name


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Tell in one line that the file cannot be written, and why."""
    try:
        yield
    except OSError as error:
        raise ExportError(f"{path}: cannot be written ({error.strerror}); make room, or name another folder") from error
