"""Cosine distance: 1 − cos on float64 unit vectors, in [0, 2]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.kernels.intrinsics import fma
from abxfast.kernels.jit import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

TIE = 1e-12
"""Distances that differ by at most this are tied: the precision that float64 can guarantee over thousands of terms."""
_DOT_LANES = 8
_CHUNK = 1 << 15  # elements at a time, so that intermediate results stay in the processor's cache


def unit_vectors(vectors: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale vectors to length 1.

    A zero vector stays zero, so its distance from every vector is 1, itself included.

    Parameters
    ----------
    vectors : ndarray of float32 or float64, shape (n, dim)
        Finite. A float64 vector is first scaled by a power of two, which is exact, so squares neither underflow nor
        overflow. Each result depends on its own vector only, bit for bit.

    Returns
    -------
    ndarray of float64, shape (n, dim)
    """
    unit = np.empty(vectors.shape, np.float64)
    step = max(1, _CHUNK // vectors.shape[1])
    for start in range(0, len(vectors), step):
        _scale(vectors[start : start + step], unit[start : start + step])
    return unit


def _scale(vectors: NDArray[np.float32] | NDArray[np.float64], unit: NDArray[np.float64]) -> None:
    if vectors.dtype == np.float32:  # squares of float32 neither underflow nor overflow in float64
        unit[:] = vectors
    else:
        largest = np.maximum(vectors.max(axis=1, keepdims=True), -vectors.min(axis=1, keepdims=True))
        exponent = -np.frexp(largest)[1]
        # In two steps because 2 ** 1074 overflows float64.
        np.multiply(vectors, np.ldexp(1.0, exponent // 2), out=unit)
        unit *= np.ldexp(1.0, exponent - exponent // 2)
    # Summed pairwise along each row whatever the number of rows; einsum and BLAS do not guarantee that.
    length = np.sqrt(np.square(unit).sum(axis=1, keepdims=True))
    length[length == 0] = 1.0
    unit *= 1 / length  # dividing each element would take twice as long


def product_error(dim: int) -> float:
    """Return a bound on the error of a float64 inner product of unit vectors, for any order of summation.

    |fl(x·y) − x·y| ≤ γ Σ|x_i·y_i| ≤ γ ‖x‖ ‖y‖ with γ = n·u / (1 − n·u) and u = 2⁻⁵³, with or without fused
    multiply-add: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. (2002), section 3.1. This is the worst
    case, not the probabilistic bound (Higham and Mary, 2019, SIAM J. Sci. Comput. 41(5), with √n in place of n): at
    4,096 terms it is 4.5e-13, still below the tie band.

    Parameters
    ----------
    dim : int
        Number of terms.

    Returns
    -------
    float
    """
    # The norm of a rounded unit vector exceeds 1 by at most (dim / 2 + 4)·u.
    u = 2.0**-53
    return dim * u / (1 - dim * u) * (1 + (dim / 2 + 4) * u) ** 2


@compiled
def exact_products(x, others, high, low):  # type: ignore[no-untyped-def]
    """Compute x·y for each row y of `others` in about twice float64's precision, as an unevaluated sum high + low.

    Dot2 of Ogita, Rump and Oishi (2005, SIAM J. Sci. Comput. 26(6)) in a fixed number of lanes: x·y and y·x are the
    same, on every machine. The error is about 1e-26 at thousands of terms.

    Parameters
    ----------
    x : ndarray of float64, shape (dim,)
    others : ndarray of float64, shape (n, dim)
    high, low : ndarray of float64, shape (n,)
        Written.
    """
    sums, errors = np.empty(_DOT_LANES), np.empty(_DOT_LANES)
    dim = len(x)
    n_full = dim - dim % _DOT_LANES
    for i in range(len(others)):
        for lane in range(_DOT_LANES):
            sums[lane] = errors[lane] = 0.0
        for k in range(0, dim, _DOT_LANES):
            for lane in range(_DOT_LANES if k < n_full else dim - n_full):
                product = x[k + lane] * others[i, k + lane]
                rounding = fma(x[k + lane], others[i, k + lane], -product)  # type: ignore[call-arg, var-annotated]
                total = sums[lane] + product
                addend = total - sums[lane]
                errors[lane] += (sums[lane] - (total - addend)) + (product - addend) + rounding
                sums[lane] = total
        total, error = 0.0, 0.0
        for lane in range(_DOT_LANES):
            next_total = total + sums[lane]
            addend = next_total - total
            error += (total - (next_total - addend)) + (sums[lane] - addend) + errors[lane]
            total = next_total
        high[i] = total + error
        low[i] = error - (high[i] - total)
