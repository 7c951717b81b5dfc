"""Writing a large file in several steps, so that it appears complete or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from abxfast.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def staged_path(path: Path) -> Iterator[Path]:
    """Yield the path of a file to be written in a temporary folder beside `path`, which is removed at the end."""
    with disk_errors(path):
        temporary = TemporaryDirectory(prefix=f"{path.name}.making-", dir=path.parent, ignore_cleanup_errors=True)
    with temporary as folder:
        yield Path(folder) / path.name


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Convert an `OSError` to an `ExportError` that names a file in one line."""
    try:
        yield
    except OSError as error:
        raise ExportError(
            f"{path}: cannot be written ({error.strerror}); free some space, or choose another folder"
        ) from error
