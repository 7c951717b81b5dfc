"""Scores to colours: blue below chance, orange above; all common kinds of colour vision tell them apart."""

from __future__ import annotations

DIVERGING = (
    (0.0, "#0b3c6f"),
    (0.25, "#3f86bd"),
    (0.4, "#b5d3e8"),
    (0.5, "#f7f6f3"),
    (0.6, "#fbdcb3"),
    (0.75, "#ec9b4c"),
    (0.88, "#c2531a"),
    (1.0, "#7a2509"),
)
"""On paper and on a light page."""
DIVERGING_DARK = (
    (0.0, "#9fd0f2"),
    (0.25, "#4f93c4"),
    (0.4, "#2f4d66"),
    (0.5, "#26292e"),
    (0.6, "#4d3a28"),
    (0.75, "#a25f24"),
    (0.88, "#e08a3c"),
    (1.0, "#ffd9a0"),
)
"""On a dark page: what is far from chance is bright."""
