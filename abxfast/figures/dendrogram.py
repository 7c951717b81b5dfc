"""Trees of recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from abxfast.figures.group_legend import EDGE_MM, LEGEND_ROW_MM, draw_group_legend, legend_rows
from abxfast.figures.labels import fit_text, text_width_mm
from abxfast.figures.sheet import Sheet
from abxfast.figures.style import INK, MARKERS, MAX_HEIGHT_MM, PAGE_MM, POINT_MM, QUIET, SERIES, SMALL, TITLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from abxfast.trees import Tree

_TOP_MM, _GAP_MM, _BELOW_MM, _ROW_MM = 11.0, 3.0, 9.5, 3.8
_MIN_POINTS = 3.4
_MARKER_MM = 2.4
_MAX_LABEL_SHARE = 0.45
"""Share of a panel that labels take, at most."""


def draw_dendrogram(
    title: str, names: Sequence[str], trees: Mapping[str, Tree], groups: Sequence[str] | None, grouped_by: str
) -> Sheet:
    """Draw trees side by side, with the root on the left and branches as long as they are in the trees.

    Parameters
    ----------
    title : str
    names : sequence of str, length n
        Of the leaves.
    trees : mapping of str to Tree
        By the heading of the panel.
    groups : sequence of str, length n, or None
        Groups that differ in colour and marker.
    grouped_by : str
        What `groups` are, for the legend.

    Returns
    -------
    Sheet
    """
    kinds = list(dict.fromkeys(groups)) if groups else []
    legend = legend_rows(kinds, grouped_by, PAGE_MM - 2 * EDGE_MM)
    legend_mm = LEGEND_ROW_MM * len(legend)
    row_mm = min(_ROW_MM, (MAX_HEIGHT_MM - _TOP_MM - _BELOW_MM - legend_mm) / len(names))
    height = row_mm * len(names)
    sheet = Sheet(PAGE_MM, _TOP_MM + height + _BELOW_MM + legend_mm)
    sheet.text(EDGE_MM, 1, fit_text(title, TITLE, PAGE_MM - 2 * EDGE_MM, weight="bold"), fontsize=TITLE, weight="bold")
    width = (PAGE_MM - 2 * EDGE_MM - _GAP_MM * (len(trees) - 1)) / len(trees)
    points = max(_MIN_POINTS, min(SMALL, 0.8 * row_mm / POINT_MM))
    labels = [fit_text(name, points, _MAX_LABEL_SHARE * width) for name in names]
    label_mm = text_width_mm(labels, points) + _MARKER_MM + 1.0
    for number, (heading, tree) in enumerate(trees.items()):
        left = EDGE_MM + number * (width + _GAP_MM)
        sheet.text(left, 5.6, fit_text(heading, SMALL, width), fontsize=SMALL, color=QUIET)
        axes = sheet.axes(left + 1.0, _TOP_MM, width - label_mm - 1.0, height)
        position, depth = _node_positions(tree), tree.depth
        axes.set(ylim=(len(names), 0), yticks=[], xlim=(0, max(float(depth.max()), 1e-3)))
        _draw_branches(axes, tree, position, depth)
        axes.spines[["left", "right", "top"]].set_visible(False)
        axes.set_xlabel("branch length (score − 0.5)", labelpad=1, fontsize=SMALL, color=QUIET)
        axes.locator_params(axis="x", nbins=4)
        for leaf, label in enumerate(labels):
            group = kinds.index(groups[leaf]) if groups else None
            _write_leaf(axes, (float(depth[leaf]), float(position[leaf])), label, points, group)
    draw_group_legend(sheet, legend, _TOP_MM + height + _BELOW_MM)
    return sheet


def _node_positions(tree: Tree) -> NDArray[np.float64]:
    """Return where each node stands from top to bottom: leaves in rows, inner nodes between their children."""
    position = np.zeros_like(tree.length)
    position[tree.leaves] = np.arange(tree.n_leaves) + 0.5
    for number, children in enumerate(tree.children):
        position[tree.n_leaves + number] = (position[list(children)].min() + position[list(children)].max()) / 2
    return position


def _draw_branches(axes: Axes, tree: Tree, position: NDArray[np.float64], depth: NDArray[np.float64]) -> None:
    style: dict[str, Any] = {"color": INK, "linewidth": 0.7, "clip_on": False, "solid_capstyle": "butt"}
    for number, children in enumerate(tree.children):
        at = depth[tree.n_leaves + number]
        rows = position[list(children)]
        axes.plot([at, at], [rows.min(), rows.max()], **style)
        for child in children:
            axes.plot([at, depth[child]], [position[child]] * 2, **style)


def _write_leaf(axes: Axes, place: tuple[float, float], label: str, points: float, group: int | None) -> None:
    offset_mm = 1.0
    if group is not None:
        colour, marker = SERIES[group % len(SERIES)], MARKERS[group % len(MARKERS)]
        axes.plot(*place, color=colour, marker=marker, markersize=3.0, clip_on=False, zorder=3)
        offset_mm = _MARKER_MM - 0.8
    axes.annotate(
        label,
        place,
        xytext=(offset_mm / POINT_MM, 0),
        textcoords="offset points",
        va="center_baseline",
        fontsize=points,
        annotation_clip=False,
    )
