"""The one place that states how the kernels are compiled."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

# numba would take an empty or relative folder at its word and leave its files wherever one works; the XDG specification
# says to ignore such a value, and so do we.
if "XDG_CACHE_HOME" in os.environ and not Path(os.environ["XDG_CACHE_HOME"]).is_absolute():
    del os.environ["XDG_CACHE_HOME"]


def digest(folder: Path) -> str:
    """Give what tells one state of the kernels in a folder from another."""
    state = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        state.update(path.read_bytes())
    return state.hexdigest()[:12]


_STATE = digest(Path(__file__).parent)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called, and keep the result on disk.

    numba looks for a place to keep it beside the module, then in the user's cache folder (or where NUMBA_CACHE_DIR
    says). Where none of them can be written, it is compiled anew in each process rather than refused. numba takes what
    it kept for good as long as the function's own file is the same, whatever became of the constants and functions of
    other files that were compiled into it: the name that it is kept under tells the state of all kernels. The global
    interpreter lock is released, since the threads are Python's; fastmath stays off, since it may reorder the
    comparisons and sums that exactness rests on.
    """
    function.__qualname__ += f"_{_STATE}"
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # "cannot cache function: no locator available"
        return njit(nogil=True)(function)


@compiled
def at_least(numbers, low, high, value):  # type: ignore[no-untyped-def]
    """Give the first place from `low` on, before `high`, whose number is not below `value`.

    numpy's searchsorted would do; it takes numba half a second to compile, each time that it is named.
    """
    while low < high:
        middle = (low + high) // 2
        if numbers[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def above(numbers, low, high, value):  # type: ignore[no-untyped-def]
    """Give the first place from `low` on, before `high`, whose number is above `value`."""
    while low < high:
        middle = (low + high) // 2
        if numbers[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low


@intrinsic
def add_shared(_typing: Any, array: Any, index: Any, amount: Any) -> Any:
    """Add to an element of an int64 array that several threads write: ``array[index] += amount``, undivided."""
    signature = types.void(array, types.int64, types.int64)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        view = context.make_array(sig.args[0])(context, builder, args[0])
        pointer = cgutils.get_item_pointer(context, builder, sig.args[0], view, [args[1]])  # type: ignore[no-untyped-call]
        builder.atomic_rmw("add", pointer, args[2], "monotonic")
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def fused(_typing: Any, x: Any, y: Any, z: Any) -> Any:
    """Give x · y + z, rounded once."""
    signature = types.float64(types.float64, types.float64, types.float64)

    def generate(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        double = ir.DoubleType()
        fma = builder.module.declare_intrinsic("llvm.fma", [double], ir.FunctionType(double, [double] * 3))
        return builder.call(fma, args)

    return signature, generate


@intrinsic
def fetch(_typing: Any, array: Any, index: Any) -> Any:
    """Ask the processor to bring an element into its cache, and go on; a place outside the array does no harm."""
    signature = types.void(array, types.int64)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        view = context.make_array(sig.args[0])(context, builder, args[0])
        pointer = cgutils.get_item_pointer(context, builder, sig.args[0], view, [args[1]])  # type: ignore[no-untyped-call]
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        reading, keep, data = ir.Constant(word, 0), ir.Constant(word, 2), ir.Constant(word, 1)
        builder.call(function, [builder.bitcast(pointer, byte), reading, keep, data])
        return context.get_dummy_value()

    return signature, generate
