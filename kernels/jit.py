"""How the kernels are compiled, and what their compiled code is cached under."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numba import njit

if TYPE_CHECKING:
    from collections.abc import Callable


def digest(folder: Path) -> str:
    """Return a hash of all Python modules in a folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    str
        12 hexadecimal digits.
    """
    state = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        state.update(path.read_bytes())
    return state.hexdigest()[:12]


_DIGEST = digest(Path(__file__).parent)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function on its first call and cache the machine code on disk.

    numba caches beside the module, or else in the user's cache folder (or in ``NUMBA_CACHE_DIR``). If none of them is
    writable, the function is compiled in every process.

    numba treats its cache as valid while the function's own file is unchanged, although constants and functions of
    other files are compiled in. The cached name therefore ends in a digest of all kernel modules.

    The global interpreter lock is released because the threads are Python's. fastmath stays off: it may reorder the
    comparisons and sums that exactness depends on.

    Parameters
    ----------
    function : callable

    Returns
    -------
    numba.core.registry.CPUDispatcher
    """
    function.__qualname__ += f"_{_DIGEST}"
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # "cannot cache function: no locator available"
        return njit(nogil=True)(function)
