"""Trees: recordings classified by their scores.

`average_linkage` and `neighbour_joining` make a `Tree` of a matrix of distances, which `dissimilarity` makes of scores.
`to_newick` and `to_nexus` return it in the formats that programs for phylogenies read.
"""

from abxfast.trees.clustering import average_linkage
from abxfast.trees.distances import dissimilarity
from abxfast.trees.formats import to_newick, to_nexus
from abxfast.trees.joining import neighbour_joining
from abxfast.trees.tree import Tree

__all__ = ["Tree", "average_linkage", "dissimilarity", "neighbour_joining", "to_newick", "to_nexus"]
