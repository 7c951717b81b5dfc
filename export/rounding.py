"""int8 weights and smoothing scales, chosen by their effect on real activations.

Dynamic int8 rounds an input to 256 steps between its minimum and its maximum. A few outlier channels, which trained
transformers have, leave hardly a step for the others. Smoothing (SmoothQuant: Xiao et al. 2023, arXiv 2211.10438)
divides each channel by a scale and multiplies the corresponding row of the weights by it, which changes only what is
rounded. Weights are rounded one row at a time, and the rows that follow compensate for the error of each (GPTQ: Frantar
et al. 2023, arXiv 2210.17323): the error that counts is that of the product over real inputs, not that of the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.export.linear import INT8_MAX, QuantizedWeight, round_to_nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMOOTHING_STRENGTHS = (0.25, 0.5, 0.75)
"""Shares of the range of the inputs that smoothing may move into the weights; the one of least error is chosen."""
MAX_UNFOLDED_ERROR = 0.7
"""Smoothing that costs a product at run time must reduce the error at least to this share."""
UINT8_MAX = 255
BLOCK_ROWS = 128
"""Rows that compensate for each other's errors before the rows of other blocks do."""
DAMPING = 0.01
"""Added to the diagonal, times its mean: the inverse stays well-conditioned with fewer frames than channels."""
MIN_POWER = 1e-30
"""Lower bound of denominators."""


def round_activations(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an input as ``DynamicQuantizeLinear`` rounds it, in float32."""
    low, high = _range_with_zero(x)
    step = (high - low) / UINT8_MAX or 1.0
    zero_point = np.clip(np.round(-low / step), 0, UINT8_MAX)
    steps = np.clip(np.round(x / step) + zero_point, 0, UINT8_MAX) - zero_point
    return np.asarray(steps * step, np.float32)


def quantization_error(x: NDArray[np.float32], weight: NDArray[np.float32]) -> float:
    """Return the share of the power of ``x @ weight`` that is lost by rounding both."""
    weight8, scale = round_to_nearest(weight)
    exact = x @ weight
    error = round_activations(x) @ (weight8 * scale) - exact
    return float(np.square(error).sum() / max(float(np.square(exact).sum()), MIN_POWER))


def smoothing_scales(
    x: NDArray[np.float32], weight: NDArray[np.float32], *, folded: bool
) -> NDArray[np.float32] | None:
    """Choose the smoothing scales of the channels of an input.

    Parameters
    ----------
    x : ndarray of float32, shape (frames, inner)
    weight : ndarray of float32, shape (inner, outer)
        Weights of all layers that take the input, side by side.
    folded : bool
        Whether the scales cost nothing at run time.

    Returns
    -------
    ndarray of float32, shape (inner,), or None
        Scales of at least 1, which at least half of the channels have; None if no scales are better.
    """
    floor = np.finfo(np.float32).tiny
    input_peaks = np.maximum(np.abs(x).max(axis=0), floor)
    weight_peaks = np.maximum(np.abs(weight).max(axis=1), floor)
    nonzero = (input_peaks > floor) & (weight_peaks > floor)
    best, min_error = None, quantization_error(x, weight) * (1.0 if folded else MAX_UNFOLDED_ERROR)
    for strength in SMOOTHING_STRENGTHS:
        log = strength * np.log(input_peaks) - (1 - strength) * np.log(weight_peaks)
        log = np.where(nonzero, log - np.median(log[nonzero]), 0.0) if nonzero.any() else np.zeros_like(log)
        log = np.maximum(log, 0.0)  # a channel that is quiet here may be loud in other audio: never amplify one
        scale = np.exp(log).astype(np.float32)
        error = quantization_error(x / scale, weight * scale[:, None])
        if error < min_error:
            best, min_error = scale, error
    return best


class GptqRounder:
    """Rounds weights so that products with a given input lose least, from the second moments of that input.

    Parameters
    ----------
    x : ndarray of float32, shape (frames, inner)
    """

    def __init__(self, x: NDArray[np.float32]) -> None:
        moments = (x.T @ x).astype(np.float64) / len(x)
        low, high = _range_with_zero(x)
        noise = ((high - low) / UINT8_MAX) ** 2 / 12  # variance that rounding the input adds to each channel
        diagonal = moments.diagonal()
        moments[np.diag_indices(len(moments))] += noise + DAMPING * max(float(diagonal.mean()), MIN_POWER)
        self._order = np.argsort(-diagonal, kind="stable")  # strong channels first, while others can compensate
        self._upper = _inverse_cholesky(moments[np.ix_(self._order, self._order)]).astype(np.float32)

    def round(self, weight: NDArray[np.float32]) -> QuantizedWeight:
        """Round a matrix ``(inner, outer)`` to int8, row by row."""
        scale = round_to_nearest(weight).scale
        remaining = (weight / scale)[self._order]
        rounded = np.empty_like(weight, dtype=np.int8)
        upper = self._upper
        for start in range(0, len(remaining), BLOCK_ROWS):
            end = min(start + BLOCK_ROWS, len(remaining))
            errors = np.empty((end - start, remaining.shape[1]), np.float32)
            for i in range(start, end):
                row = np.clip(np.round(remaining[i]), -INT8_MAX, INT8_MAX)
                rounded[self._order[i]] = row
                errors[i - start] = (remaining[i] - row) / upper[i, i]
                remaining[i + 1 : end] -= np.outer(upper[i, i + 1 : end], errors[i - start])
            remaining[end:] -= upper[start:end, end:].T @ errors
        return QuantizedWeight(rounded, scale)


def _range_with_zero(x: NDArray[np.float32]) -> tuple[float, float]:
    """Return minimum and maximum of an array and 0."""
    return min(float(x.min()), 0.0), max(float(x.max()), 0.0)


def _inverse_cholesky(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the upper U with UᵀU = matrix⁻¹, from a factorisation of the reversed matrix, without the inverse."""
    import torch

    reversed_matrix = torch.from_numpy(matrix[::-1, ::-1].copy())
    lower = torch.linalg.cholesky(reversed_matrix)
    solved = torch.linalg.solve_triangular(lower, torch.eye(len(matrix), dtype=torch.float64), upper=False)
    upper: NDArray[np.float64] = solved.numpy()[::-1, ::-1]
    return upper
