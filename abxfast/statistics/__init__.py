"""How sure a score is: intervals, tests, floors. Arrays in, arrays out; what is asked for is decided elsewhere.

What is the null hypothesis of an ABX test? That the labels are exchangeable: that which snippets are called A and which
B was drawn by lot. Snippets of one recording are not drawn one by one, since neighbours are alike, so the lot falls on
what the design makes independent: stretches of a recording that are longer than its memory, where each value of ON is
a recording; whole recordings, where ON groups them.
"""

from abxfast.statistics.dependence import Units, make_units
from abxfast.statistics.intervals import Intervals, Shares, intervals, join_shares
from abxfast.statistics.multiple_testing import benjamini_hochberg, holm
from abxfast.statistics.permutation import Test, permutation_tests
from abxfast.statistics.self_baselines import Floors, floors

__all__ = [
    "Floors",
    "Intervals",
    "Shares",
    "Test",
    "Units",
    "benjamini_hochberg",
    "floors",
    "holm",
    "intervals",
    "join_shares",
    "make_units",
    "permutation_tests",
]
