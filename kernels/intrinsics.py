"""Processor operations that numba does not offer: atomic and fused arithmetic, prefetching, 16-lane sums.

None of them checks that an index lies within its array.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16
"""Elements of a vector of 16-bit integers: as many as an AVX2 register holds."""


def _element_pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Return the pointer to an element of a one-dimensional array."""
    view = context.make_array(array_type)(context, builder, array)
    return cgutils.get_item_pointer(context, builder, array_type, view, [index])  # type: ignore[no-untyped-call]


@intrinsic
def atomic_add(_typing: Any, array: Any, index: Any, amount: Any) -> Any:
    """Perform ``array[index] += amount`` atomically on an int64 array that several threads write to."""
    signature = types.void(array, types.int64, types.int64)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _element_pointer(context, builder, sig.args[0], args[0], args[1])
        builder.atomic_rmw("add", pointer, args[2], "monotonic")
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def fma(_typing: Any, x: Any, y: Any, z: Any) -> Any:
    """Return x · y + z in float64, rounded once."""
    signature = types.float64(types.float64, types.float64, types.float64)

    def generate(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        double = ir.DoubleType()
        function = builder.module.declare_intrinsic("llvm.fma", [double], ir.FunctionType(double, [double] * 3))
        return builder.call(function, args)

    return signature, generate


@intrinsic
def prefetch(_typing: Any, array: Any, index: Any) -> Any:
    """Ask the processor to load an element into its cache, without waiting.

    An index outside the array is harmless.
    """
    signature = types.void(array, types.int64)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _element_pointer(context, builder, sig.args[0], args[0], args[1])
        byte_pointer, int32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        function_type = ir.FunctionType(ir.VoidType(), [byte_pointer, int32, int32, int32])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte_pointer], function_type)
        read, locality, data_cache = ir.Constant(int32, 0), ir.Constant(int32, 2), ir.Constant(int32, 1)
        builder.call(function, [builder.bitcast(pointer, byte_pointer), read, locality, data_cache])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def scatter_suffix_sums(
    _typing: Any, steps: Any, sums: Any, start: Any, n_lanes: Any, index: Any, offset: Any, n: Any
) -> Any:
    """Add the suffix sums of `steps` to `sums`, in the order that `index` gives, and zero `steps`.

    For k from ``n - 1`` down to 0, in each lane, the sum of ``steps[k + 1:n + 1]`` is added to the element
    ``index[offset + k]`` of ``sums[start:]``. Arithmetic is modulo 2¹⁶.

    Parameters
    ----------
    steps : ndarray of uint16
        ``n + 1`` vectors of `n_lanes` elements, in consecutive memory.
    sums : ndarray of uint16
        Vectors of `n_lanes` elements, from the element `start` on.
    start : int
        Counts elements, not vectors.
    n_lanes : int
        1 or `LANES`; with any other number nothing is done.
    index : ndarray of uint16 or int32
        Which vector of `sums` each vector of `steps` belongs to; unsigned or never negative.
    offset, n : int
    """
    signature = types.void(steps, sums, *[types.int64] * 2, index, *[types.int64] * 2)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        int64, uint16 = ir.IntType(64), ir.IntType(16)
        zero, one = ir.Constant(int64, 0), ir.Constant(int64, 1)
        index = _element_pointer(context, builder, sig.args[4], args[4], args[5])
        for lanes, vector in ((1, uint16), (LANES, ir.VectorType(uint16, LANES))):
            with builder.if_then(builder.icmp_signed("==", args[3], ir.Constant(int64, lanes))):
                zeros = ir.Constant(vector, None)
                steps = _element_pointer(context, builder, sig.args[0], args[0], zero)
                sums = _element_pointer(context, builder, sig.args[1], args[1], args[2])
                steps, sums = (builder.bitcast(pointer, vector.as_pointer()) for pointer in (steps, sums))
                running = cgutils.alloca_once_value(builder, zeros)  # type: ignore[no-untyped-call]
                with cgutils.for_range_slice(builder, args[6], zero, ir.Constant(int64, -1), inc=False) as (k, _):
                    step = builder.gep(steps, [k])
                    total = builder.add(builder.load(running), builder.load(step, align=2))
                    builder.store(total, running)
                    builder.store(zeros, step, align=2)
                    target = builder.zext(builder.load(builder.gep(index, [builder.sub(k, one)])), int64)
                    target_sum = builder.gep(sums, [target])
                    builder.store(builder.add(builder.load(target_sum, align=2), total), target_sum, align=2)
                builder.store(zeros, steps, align=2)
        return context.get_dummy_value()

    return signature, generate
