"""Arrays that may be larger than memory."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

from abxfast.errors import OutputError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray


def allocate(shape: tuple[int, ...], dtype: DTypeLike, memory_mb: float) -> NDArray[Any]:
    """Return an uninitialised array, mapped from a scratch file if it exceeds `memory_mb`.

    Raises
    ------
    OutputError
        If there is no room for the scratch file, in the folder that ``TMPDIR`` names.
    """
    import numpy as np  # noqa: PLC0415  # ``abxfast --help`` needs this package, and nothing heavy

    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size <= memory_mb * 1e6:
        return np.empty(shape, dtype)
    try:
        with tempfile.TemporaryFile(prefix="abxfast-") as scratch:  # deleted with its last mapping
            scratch.truncate(size)
            if hasattr(os, "posix_fallocate"):  # a full disk is an error here; in the mapping it would be a SIGBUS
                os.posix_fallocate(scratch.fileno(), 0, size)
            return np.memmap(scratch, dtype, "r+", shape=shape)
    except OSError as error:
        raise OutputError(
            f"{tempfile.gettempdir()}: no room for {size / 1e6:,.0f} MB of vectors ({error.strerror}); "
            "set TMPDIR to a folder with more space, or raise `memory_mb`"
        ) from error
