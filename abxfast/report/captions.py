"""Captions that say what a figure shows, in words that can stand below it in a paper."""

from __future__ import annotations

from abxfast.figures import HIGH_STRESS, shows_numbers, shows_scores

_STATES = (
    "Bold: evidence of a difference. Regular: no evidence, though the data could have shown it; after ≈, equivalent to "
    "chance. In brackets, pale and hatched: cannot be judged."
)


def curve_caption(experiment: str) -> str:
    """Return the caption of a curve of score over snippet length."""
    return (
        f"Mean ABX score by snippet length (experiment {experiment}). Bands: 95% confidence intervals. Above the "
        "curves: vector dimensions per pooled frame. Dotted: mean self-baseline of the recordings (alternating blocks "
        "of 30 s); dashed: chance level. Filled markers: evidence of a difference; open ones: no evidence, though the "
        "data could have shown it; crosses: cannot be judged."
    )


def layers_caption(experiment: str, encoder: str) -> str:
    """Return the caption of a heat map of layers and poolings."""
    return (
        "Mean ABX score by layer (rows) and pooling over time (columns), one panel per snippet length (experiment "
        f"{experiment}, encoder {encoder}). {_STATES}"
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
        "Rows are ordered by average linkage of the scores, averaged over both directions, encoders and lengths.",
    ]
    if shows_scores(n_rows):
        sentences.append(_STATES)
    else:
        sentences.append(
            "Dots: no evidence of a difference, though the data could have shown it. Pale and hatched: cannot be "
            "judged."
        )
    if self_baselines:
        sentences.append("Diagonal: self-baseline of each recording (alternating blocks of 30 s).")
    if averaged_over:
        sentences.append(f"{averaged_over[0].upper()}{averaged_over[1:].rstrip('.')}.")
    return " ".join(sentences)


def map_caption(subject: str, *, n_recordings: int, stress: float, n_undecidable: int) -> str:
    """Return the caption of a map of recordings.

    Parameters
    ----------
    subject : str
        Experiment, encoder, variant and snippet length.
    n_recordings : int
    stress : float
    n_undecidable : int
        Number of pairs that cannot be judged.
    """
    caption = (
        f"Map of the recordings ({subject}): metric multidimensional scaling of the scores, averaged over both "
        "directions. Distances on the map approximate score − 0.5 as closely as possible."
    )
    if shows_numbers(n_recordings):
        caption += " Numbers are those of the rows of the matrix."
    if n_undecidable:
        caption += f" Pairs that cannot be judged are included ({n_undecidable:,})."
    if stress >= HIGH_STRESS:
        caption += f" Its stress is high ({stress:.2f}): distances on this map mislead; read the matrix."
    return caption


def tree_caption(subject: str, distances: str) -> str:
    """Return the caption of the trees of a matrix.

    Parameters
    ----------
    subject : str
        Experiment, encoder, variant and snippet length.
    distances : str
        Sentences on what the distances are.
    """
    return (
        f"Trees of the scores ({subject}): average linkage, and neighbour joining, whose root means nothing. "
        f"{distances} "
        "The path between two leaves is as long as they are distant, as far as a tree allows."
    )
