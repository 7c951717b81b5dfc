"""Trees as text: Newick and NEXUS.

Both formats put names in single quotes, in which a single quote is doubled. NEXUS (Maddison, Swofford & Maddison 1997)
does not distinguish upper and lower case, and reads a name that is a number as the number of a taxon; the names of both
files are made distinct by its rules, so that they agree.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from abxfast.trees.tree import Tree

_DIGITS = 6


def to_newick(tree: Tree, names: Sequence[str]) -> str:
    """Return a tree in the Newick format, with branch lengths.

    Parameters
    ----------
    tree : Tree
    names : sequence of str, length n
        Of the leaves.

    Returns
    -------
    str
        One line, which ends with a semicolon.
    """
    return _newick(tree, _taxa(names))


def to_nexus(
    trees: Mapping[str, Tree], names: Sequence[str], distance: NDArray[np.float64], *, comment: str = ""
) -> str:
    """Return trees and the distances that they were made of in the NEXUS format.

    Parameters
    ----------
    trees : mapping of str to Tree
        By name: letters, digits and underscores.
    names : sequence of str, length n
        Of the leaves.
    distance : ndarray of float64, shape (n, n)
    comment : str
        Put at the top.

    Returns
    -------
    str
        The blocks TAXA, DISTANCES and TREES.
    """
    taxa = _taxa(names)
    comment = _single_line(comment).translate(str.maketrans("[]", "()"))
    rows = [
        " ".join([taxon, *(f"{value:.{_DIGITS}f}" for value in row)]) for taxon, row in zip(taxa, distance, strict=True)
    ]
    lines = [
        "#NEXUS",
        *([f"[{comment}]"] if comment else []),
        "BEGIN TAXA;",
        f"  DIMENSIONS NTAX={len(taxa)};",
        "  TAXLABELS",
        *(f"    {taxon}" for taxon in taxa),
        "  ;",
        "END;",
        "BEGIN DISTANCES;",
        "  FORMAT TRIANGLE=BOTH DIAGONAL LABELS=LEFT;",
        "  MATRIX",
        *(f"    {row}" for row in rows),
        "  ;",
        "END;",
        "BEGIN TREES;",
        *(f"  TREE {name} = [&{'R' if tree.rooted else 'U'}] {_newick(tree, taxa)}" for name, tree in trees.items()),
        "END;",
    ]
    return "\n".join(lines) + "\n"


def _newick(tree: Tree, taxa: Sequence[str]) -> str:
    texts = list(taxa)
    for children in tree.children:
        inside = ",".join(f"{texts[child]}:{tree.length[child]:.{_DIGITS}f}" for child in children)
        texts.append(f"({inside})")
        for child in children:
            texts[child] = ""  # a tree may be as deep as it has leaves
    return f"{texts[-1]};"


def _taxa(names: Sequence[str]) -> list[str]:
    """Return quoted names that differ even if upper and lower case do not, and none of which is a number."""
    taxa, taken = [], set()
    for name in names:
        base = _single_line(name) or "unnamed"
        if base.isdigit():
            base = f"no. {base}"
        label, number = base, 1
        while label.casefold() in taken:
            number += 1
            label = f"{base} ({number})"
        taken.add(label.casefold())
        taxa.append("'{}'".format(label.replace("'", "''")))
    return taxa


def _single_line(text: str) -> str:
    """Return a text with a space for each control character, line separator and surrogate."""
    return "".join(" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in text).strip()
