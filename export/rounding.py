"""int8 weights and smoothing scales from what a model does to real audio.

Dynamic int8 rounds an input to 256 steps between its least and its greatest value. A few channels with outliers, which
trained transformers have, leave hardly a step to the others. Smoothing (SmoothQuant: Xiao et al. 2023, arXiv
2211.10438) divides each channel by a scale and multiplies the row of the weights that takes it by the same, which
changes nothing but what is rounded. Weights are rounded one row at a time, and what a row loses is made up for by those
that follow (GPTQ: Frantar et al. 2023, arXiv 2210.17323): the error that counts is that of the product over real
inputs, not that of the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.export.linear import INT8_MAX, Rounded, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRENGTHS = (0.0, 0.25, 0.5, 0.75)
"""How much of the range of the inputs smoothing moves into the weights; the best by measured error is taken."""
WORTH = 0.7
"""Share of the error that must be left for smoothing that costs a product at run time."""
STEPS = 255
BLOCK = 128
"""Rows whose losses are made up for among themselves first."""
DAMPING = 0.01
"""Of the mean of the diagonal: keeps the inverse sane where there are fewer frames than channels."""


def round_input(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give an input as ``DynamicQuantizeLinear`` would round it."""
    low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
    step = (high - low) / STEPS or 1.0
    zero = np.clip(np.round(-low / step), 0, STEPS)
    steps = np.clip(np.round(x / step) + zero, 0, STEPS) - zero
    return np.asarray(steps * step, np.float32)


def error(x: NDArray[np.float32], weight: NDArray[np.float32]) -> float:
    """Give the share of the power of ``x @ weight`` that rounding both loses."""
    weight8, scale = nearest(weight)
    exact = x @ weight
    off = round_input(x) @ (weight8 * scale) - exact
    return float(np.square(off).sum() / max(float(np.square(exact).sum()), 1e-30))


def smoothing(x: NDArray[np.float32], weight: NDArray[np.float32], *, folded: bool) -> NDArray[np.float32] | None:
    """Choose the scales of the channels of an input.

    Parameters
    ----------
    x : ndarray of float32, shape (frames, inner)
    weight : ndarray of float32, shape (inner, outer)
        Of all layers that take the input, side by side.
    folded : bool
        Whether the scales cost nothing at run time.

    Returns
    -------
    ndarray of float32, shape (inner,), or None
        With geometric mean 1; None where the input is better left as it is.
    """
    of_input, of_weight = np.abs(x).max(axis=0), np.abs(weight).max(axis=1)
    floor = np.finfo(np.float32).tiny
    of_input, of_weight = np.maximum(of_input, floor), np.maximum(of_weight, floor)
    best, least = None, error(x, weight) * (1.0 if folded else WORTH)
    for strength in STRENGTHS[1:]:
        log = strength * np.log(of_input) - (1 - strength) * np.log(of_weight)
        live = (of_input > floor) & (of_weight > floor)
        log = np.where(live, log - log[live].mean(), 0.0) if live.any() else np.zeros_like(log)
        scale = np.exp(log).astype(np.float32)
        found = error(x / scale, weight * scale[:, None])
        if found < least:
            best, least = scale, found
    return best


class Losses:
    """The second moments of an input, from which `round_weights` knows what a rounded weight costs.

    Parameters
    ----------
    x : ndarray of float32, shape (frames, inner)
    """

    def __init__(self, x: NDArray[np.float32]) -> None:
        moments = (x.T @ x).astype(np.float64) / len(x)
        low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
        noise = ((high - low) / STEPS) ** 2 / 12  # what rounding the input adds to each channel
        diagonal = moments.diagonal()
        moments[np.diag_indices(len(moments))] += noise + DAMPING * max(float(diagonal.mean()), 1e-30)
        self._order = np.argsort(-diagonal, kind="stable")  # what costs most is rounded first, while others can mend it
        self._upper = _upper_of_inverse(moments[np.ix_(self._order, self._order)]).astype(np.float32)

    def round_weights(self, weight: NDArray[np.float32]) -> Rounded:
        """Round a matrix ``(inner, outer)`` to int8, row by row, so that the product over the inputs loses least."""
        scale = nearest(weight).scale
        left = (weight / scale)[self._order]
        out = np.empty_like(weight, dtype=np.int8)
        upper = self._upper
        for start in range(0, len(left), BLOCK):
            end = min(start + BLOCK, len(left))
            lost = np.empty((end - start, left.shape[1]), np.float32)
            for i in range(start, end):
                row = np.clip(np.round(left[i]), -INT8_MAX, INT8_MAX)
                out[self._order[i]] = row
                lost[i - start] = (left[i] - row) / upper[i, i]
                left[i + 1 : end] -= np.outer(upper[i, i + 1 : end], lost[i - start])
            left[end:] -= upper[start:end, end:].T @ lost
        return Rounded(out, scale)


def _upper_of_inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the upper U with UᵀU = matrix⁻¹, without the inverse: factored back to front, the factor is upper itself."""
    import torch

    backward = torch.from_numpy(matrix[::-1, ::-1].copy())
    lower = torch.linalg.cholesky(backward)
    solved = torch.linalg.solve_triangular(lower, torch.eye(len(matrix), dtype=torch.float64), upper=False)
    upper: NDArray[np.float64] = solved.numpy()[::-1, ::-1]
    return upper
