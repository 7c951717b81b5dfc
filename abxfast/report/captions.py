"""Captions that say what a figure shows, in words that can stand below it in a paper."""

from __future__ import annotations

from abxfast.figures import shows_numbers, shows_scores


def curve_caption(experiment: str) -> str:
    """Return the caption of a curve of score over snippet length."""
    return (
        f"Mean ABX score by snippet length (experiment {experiment}). Bands: 95% confidence intervals. Above the "
        "curves: vector dimensions per pooled frame. Dotted: mean self-baseline of the recordings (alternating blocks "
        "of 30 s); dashed: chance level."
    )


def layers_caption(experiment: str, encoder: str) -> str:
    """Return the caption of a heat map of layers and poolings."""
    return (
        "Mean ABX score by layer (rows) and pooling over time (columns), one panel per snippet length (experiment "
        f"{experiment}, encoder {encoder})."
    )


def matrix_caption(subject: str, on: str, *, n_rows: int, self_baselines: bool, averaged_over: str) -> str:
    """Return the caption of a matrix of scores.

    Parameters
    ----------
    subject : str
        Experiment, encoder, variant and snippet length.
    on : str
        The column that is compared.
    n_rows : int
    self_baselines : bool
        Whether the diagonal shows self-baselines.
    averaged_over : str
        A sentence on what the scores were averaged over; may be empty.
    """
    sentences = [
        f"ABX scores ({subject}).",
        f"Row: the {on} of A and X; column: the {on} of B.",
        "0.5 is chance level, 1 perfect discrimination.",
        "Rows are ordered by average-linkage clustering of the scores, averaged over both directions and all lengths.",
    ]
    if shows_scores(n_rows):
        sentences.append("Bold: evidence of a difference; in brackets: cannot be judged.")
    if self_baselines:
        sentences.append("Diagonal: self-baseline of each recording (alternating blocks of 30 s).")
    if averaged_over:
        sentences.append(f"{averaged_over[0].upper()}{averaged_over[1:].rstrip('.')}.")
    return " ".join(sentences)


def map_caption(subject: str, *, n_recordings: int) -> str:
    """Return the caption of a map of recordings.

    Parameters
    ----------
    subject : str
        Experiment, encoder, variant and snippet length.
    n_recordings : int
    """
    caption = (
        f"Map of the recordings ({subject}): metric multidimensional scaling of the scores, averaged over both "
        "directions. Distances on the map approximate score − 0.5 as closely as possible."
    )
    if shows_numbers(n_recordings):
        caption += " Numbers are those of the rows of the matrix."
    return caption
