"""The steps of a study, for whoever shows its progress."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StudyStep:
    """A step that a study begins.

    Attributes
    ----------
    kind : str
        ``recording`` (its audio quality is measured), ``analysis``, ``figure`` or ``page``.
    title : str
        What is measured, analysed or drawn.
    done, total : int
        Steps of this kind that are done, and of all.
    """

    kind: str
    title: str
    done: int
    total: int

    def __str__(self) -> str:
        """Return the step in one line, such as ``analysis 3 of 8: voice, mfcc mfcc.max, 10 s``."""
        number = f" {self.done + 1} of {self.total}" if self.total > 1 else ""
        return f"{self.kind}{number}: {self.title}"
