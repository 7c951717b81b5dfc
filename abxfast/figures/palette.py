"""Diverging colour scales for scores: blue below chance level, orange above.

The two sides differ in hue for readers with any common form of colour vision deficiency, and lightness alone shows the
distance from chance level.
"""

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
"""Pairs of a score and its colour, for a light background."""
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
"""The same for a dark background, on which scores far from chance level are bright."""
