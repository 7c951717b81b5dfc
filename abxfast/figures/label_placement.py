"""Places for the labels of points, so that they cover neither each other nor the points."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_POINT_MM = 0.8
"""Half the width of the square that a point keeps free."""
_OFFSETS_MM = ((1.6, 0.0), (-1.6, 0.0), (0.0, -2.3), (0.0, 2.3), (1.5, -1.6), (1.5, 1.6), (-1.5, -1.6), (-1.5, 1.6))
"""Offsets of a label from its point, right and down, in order of preference."""
_MAX_RINGS = 40
"""Rings of larger offsets, each wider by the factor `_RING`; the farthest are 100 mm from their point."""
_RING = 1.6


class PlacedLabel(NamedTuple):
    """Where a label stands, in millimetres from the upper left corner.

    Attributes
    ----------
    left, top, right, bottom : float
    distant : bool
        Whether it is too far from its point to be told without a line.
    """

    left: float
    top: float
    right: float
    bottom: float
    distant: bool


def place_labels(
    points: NDArray[np.float64], widths_mm: Sequence[float], height_mm: float, size_mm: tuple[float, float]
) -> list[PlacedLabel]:
    """Place the label of each point as near to it as possible where it covers no other label and no point.

    Points in dense places come first, since they have the least choice. A label that finds no free place goes where it
    covers the least.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        Right and down, in millimetres.
    widths_mm : sequence of float, length n
        Widths of the labels.
    height_mm : float
        Height of all labels.
    size_mm : (float, float)
        Width and height of the area in which labels stand.

    Returns
    -------
    list of PlacedLabel
    """
    boxes = np.concatenate([points - _POINT_MM, points + _POINT_MM], axis=1)
    crowding = (np.abs(points[:, None] - points) < (12.0, 4.0)).all(axis=2).sum(axis=1)
    placed: dict[int, PlacedLabel] = {}
    for number in np.argsort(-crowding, kind="stable"):
        best, least = None, np.inf
        for label in _candidates(points[number], widths_mm[number], height_mm, size_mm):
            covered = _overlap(np.array(label[:4]), boxes)
            if covered < least:
                best, least = label, covered
            if not covered:
                break
        if best is None:  # the label is wider than the area
            best = next(_candidates(points[number], widths_mm[number], height_mm, (np.inf, np.inf)))
        placed[int(number)] = best
        boxes = np.vstack([boxes, best[:4]])
    return [placed[number] for number in range(len(points))]


def _candidates(
    point: NDArray[np.float64], width: float, height: float, size_mm: tuple[float, float]
) -> Iterator[PlacedLabel]:
    """Yield places for a label, the nearest first."""
    x, y = point
    for ring in range(_MAX_RINGS):
        factor = 1 + _RING * ring
        for right, down in _OFFSETS_MM:
            left = x + factor * right - (0 if right > 0 else width if right < 0 else width / 2)
            top = y + factor * down - height / 2
            inside = left >= 0 and top >= 0 and left + width <= size_mm[0] and top + height <= size_mm[1]
            if inside or np.isinf(size_mm[0]):
                yield PlacedLabel(left, top, left + width, top + height, ring > 0)


def _overlap(box: NDArray[np.float64], boxes: NDArray[np.float64]) -> float:
    """Return the area that a box shares with others, in square millimetres."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    return float(np.maximum(high - low, 0.0).prod(axis=1).sum())
