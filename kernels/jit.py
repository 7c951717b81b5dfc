"""The one place that states how the kernels are compiled."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

LANES = 16
"""Numbers of 16 bits that are added at a time: as many as a vector of AVX2 holds."""


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
def lower_bound(numbers, low, high, value):  # type: ignore[no-untyped-def]
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
def upper_bound(numbers, low, high, value):  # type: ignore[no-untyped-def]
    """Give the first place from `low` on, before `high`, whose number is above `value`."""
    while low < high:
        middle = (low + high) // 2
        if numbers[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low


def _pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Give the pointer to an element of an array of one dimension, which no bound is asked for."""
    view = context.make_array(kind)(context, builder, array)
    return cgutils.get_item_pointer(context, builder, kind, view, [index])  # type: ignore[no-untyped-call]


@intrinsic
def atomic_add(_typing: Any, array: Any, index: Any, amount: Any) -> Any:
    """Add to an element of an int64 array that several threads write: ``array[index] += amount``, undivided."""
    signature = types.void(array, types.int64, types.int64)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.atomic_rmw("add", _pointer(context, builder, sig.args[0], args[0], args[1]), args[2], "monotonic")
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def fma(_typing: Any, x: Any, y: Any, z: Any) -> Any:
    """Give x · y + z, rounded once."""
    signature = types.float64(types.float64, types.float64, types.float64)

    def generate(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        double = ir.DoubleType()
        fma = builder.module.declare_intrinsic("llvm.fma", [double], ir.FunctionType(double, [double] * 3))
        return builder.call(fma, args)

    return signature, generate


@intrinsic
def prefetch(_typing: Any, array: Any, index: Any) -> Any:
    """Ask the processor to bring an element into its cache, and go on; a place outside the array does no harm."""
    signature = types.void(array, types.int64)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, sig.args[0], args[0], args[1])
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        reading, keep, data = ir.Constant(word, 0), ir.Constant(word, 2), ir.Constant(word, 1)
        builder.call(function, [builder.bitcast(pointer, byte), reading, keep, data])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def scatter_suffix_sums(
    _typing: Any, steps: Any, shares: Any, start: Any, lanes: Any, order: Any, at: Any, live: Any
) -> Any:
    """Give each place of a list the steps behind it, and empty the steps, in one lane or in all `LANES` at once.

    For k from ``live - 1`` down to 0, the sum of ``steps[k + 1:live + 1]`` is added to the share that ``order[at + k]``
    names, counted from `start` on. Steps and shares are uint16; `start` and `at` count numbers, not vectors.
    """
    signature = types.void(steps, shares, *[types.int64] * 2, order, *[types.int64] * 2)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        word, number = ir.IntType(64), ir.IntType(16)
        none, one = ir.Constant(word, 0), ir.Constant(word, 1)
        order = _pointer(context, builder, sig.args[4], args[4], args[5])
        for n_lanes, kind in ((1, number), (LANES, ir.VectorType(number, LANES))):
            with builder.if_then(builder.icmp_signed("==", args[3], ir.Constant(word, n_lanes))):
                nothing = ir.Constant(kind, None)
                steps = builder.bitcast(_pointer(context, builder, sig.args[0], args[0], none), kind.as_pointer())
                shares = builder.bitcast(_pointer(context, builder, sig.args[1], args[1], args[2]), kind.as_pointer())
                running = cgutils.alloca_once_value(builder, nothing)  # type: ignore[no-untyped-call]
                with cgutils.for_range_slice(builder, args[6], none, ir.Constant(word, -1), inc=False) as (behind, _):
                    step = builder.gep(steps, [behind])
                    total = builder.add(builder.load(running), builder.load(step, align=2))
                    builder.store(total, running)
                    builder.store(nothing, step, align=2)
                    place = builder.zext(builder.load(builder.gep(order, [builder.sub(behind, one)])), word)
                    share = builder.gep(shares, [place])
                    builder.store(builder.add(builder.load(share, align=2), total), share, align=2)
                builder.store(nothing, steps, align=2)
        return context.get_dummy_value()

    return signature, generate
