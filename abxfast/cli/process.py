"""Settings of the program's own process: flat memory, and a usable cache of compiled code.

The library leaves its process as it is; only the program calls this.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path

_MALLOPT = {"M_MMAP_THRESHOLD": (-3, 128 << 10), "M_TRIM_THRESHOLD": (-1, 64 << 10), "M_ARENA_MAX": (-8, 1)}
"""Numbers and values of glibc's options."""


def configure_process() -> None:
    """Set the memory pool of pyarrow, the options of malloc, and numba's cache folder where that is needed.

    Must be called before pyarrow and the kernels are imported.
    """
    _return_freed_memory()
    _ignore_relative_cache_folder()


def _return_freed_memory() -> None:
    """Have freed memory returned to the system, so that memory does not grow with the length of a recording.

    pyarrow's own pool keeps what was freed (1 s and 10 s snippets: 183 MB for ten minutes, 208 MB for three hours; with
    the system's pool 178 and 185 MB). Its Parquet writer honours only the environment variable, which is read when
    pyarrow is imported. glibc keeps freed memory too, on a heap for each thread, after a first large block was freed:
    the memory of a long recording would depend on how its threads happen to interleave, and was twice that of a short
    one. The options cost the mfcc encoder a few seconds for three hours of audio, a large encoder nothing, since its
    buffers come from the arena of onnxruntime.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # musl has no mallopt, and does not need it
            for option, value in _MALLOPT.values():
                ctypes.CDLL(None).mallopt(option, value)


def _ignore_relative_cache_folder() -> None:
    """Ignore a relative ``XDG_CACHE_HOME``, as its specification asks; numba would write into the working folder."""
    folder = os.environ.get("XDG_CACHE_HOME")
    if folder is not None and not Path(folder).is_absolute():
        from numba import config

        if not config.CACHE_DIR:  # type: ignore[attr-defined]
            config.CACHE_DIR = str(Path.home() / ".cache" / "numba")  # type: ignore[attr-defined]
