"""Statistics: how sure a score is. Arrays in, arrays out.

Confidence intervals, permutation tests, corrections for multiple testing, self-baselines (what a recording scores
against itself), classification by nearest label, and confounds. The null hypothesis of a test is that labels are
exchangeable. Neighbouring snippets of a recording are alike, so what is exchanged is what the design makes independent:
blocks of a recording that are longer than its decorrelation lag, or whole recordings.
"""

from abxfast.statistics.baselines import SelfBaselines, self_baselines
from abxfast.statistics.classification import Classification, classify
from abxfast.statistics.confounds import MantelTestResult, mantel_test
from abxfast.statistics.dependence import ExchangeableUnits, make_exchangeable_units
from abxfast.statistics.intervals import Intervals, UnitMarginals, jackknife_intervals, sum_by_unit
from abxfast.statistics.multiple_testing import benjamini_hochberg, holm
from abxfast.statistics.permutation import PermutationTestResult, permutation_tests

__all__ = [
    "Classification",
    "ExchangeableUnits",
    "Intervals",
    "MantelTestResult",
    "PermutationTestResult",
    "SelfBaselines",
    "UnitMarginals",
    "benjamini_hochberg",
    "classify",
    "holm",
    "jackknife_intervals",
    "make_exchangeable_units",
    "mantel_test",
    "permutation_tests",
    "self_baselines",
    "sum_by_unit",
]
