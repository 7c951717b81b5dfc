"""A tree whose leaves are recordings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Tree:
    """A tree with branch lengths.

    Nodes are numbered: leaves 0 to n − 1, then inner nodes, each after its children; the root comes last.

    Attributes
    ----------
    n_leaves : int
    children : tuple of tuple of int
        Of each inner node, node n first.
    length : ndarray of float64, shape (n + number of inner nodes,)
        Length of the branch above each node; 0 for the root.
    rooted : bool
        Whether the root means anything; if not, it is one inner node among others.
    """

    n_leaves: int
    children: tuple[tuple[int, ...], ...]
    length: NDArray[np.float64]
    rooted: bool

    @property
    def depth(self) -> NDArray[np.float64]:
        """Distance of each node from the root, float64 of shape (n + number of inner nodes,)."""
        depth = np.zeros_like(self.length)
        for number in reversed(range(len(self.children))):
            for child in self.children[number]:
                depth[child] = depth[self.n_leaves + number] + self.length[child]
        return depth

    @property
    def leaves(self) -> list[int]:
        """The leaves in the order in which a drawing without crossing branches has them."""
        order: list[int] = []
        stack = [self.n_leaves + len(self.children) - 1]
        while stack:
            node = stack.pop()
            if node < self.n_leaves:
                order.append(node)
            else:
                stack.extend(reversed(self.children[node - self.n_leaves]))
        return order
