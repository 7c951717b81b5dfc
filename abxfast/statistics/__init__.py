"""Statistics of ABX scores: confidence intervals, tests and baselines, from arrays.

Jackknife confidence intervals, permutation tests, verdicts that follow from them, corrections for multiple testing,
self-baselines (how a recording scores against itself), classification by the lowest score, and confounds. The null
hypothesis of a permutation test is that labels are exchangeable. Neighbouring snippets of a recording are alike, so
labels are exchanged between the units that the design makes exchangeable: blocks of neighbouring snippets, runs of
snippets with one label, or whole recordings; pairs of snippets closer than the decorrelation lag of a recording are
left out of a test. docs/statistics.md states the hypotheses, the estimands and what is approximate.
"""

from abxfast.statistics.autocorrelation import Autocorrelation, estimate_autocorrelation
from abxfast.statistics.baselines import SelfBaselines, self_baselines
from abxfast.statistics.classification import Classification, classify
from abxfast.statistics.confounds import AssociationTestResult, MantelTestResult, association_test, mantel_test
from abxfast.statistics.dependence import ExchangeableUnits, make_exchangeable_units
from abxfast.statistics.intervals import Intervals, jackknife_intervals
from abxfast.statistics.label_permutation import count_distinct, count_relabellings
from abxfast.statistics.multiple_testing import benjamini_hochberg, holm
from abxfast.statistics.permutation import ALPHA, PermutationTestResult, permutation_tests
from abxfast.statistics.power import detectable_score
from abxfast.statistics.unit_marginals import UnitMarginals, UnitPairMarginals, sum_by_unit
from abxfast.statistics.verdicts import (
    DEFAULT_MARGIN,
    DIFFERENT,
    EQUIVALENT,
    NO_EVIDENCE,
    UNDECIDABLE,
    Verdict,
    decide,
    required_units,
)

__all__ = [
    "ALPHA",
    "DEFAULT_MARGIN",
    "DIFFERENT",
    "EQUIVALENT",
    "NO_EVIDENCE",
    "UNDECIDABLE",
    "AssociationTestResult",
    "Autocorrelation",
    "Classification",
    "ExchangeableUnits",
    "Intervals",
    "MantelTestResult",
    "PermutationTestResult",
    "SelfBaselines",
    "UnitMarginals",
    "UnitPairMarginals",
    "Verdict",
    "association_test",
    "benjamini_hochberg",
    "classify",
    "count_distinct",
    "count_relabellings",
    "decide",
    "detectable_score",
    "estimate_autocorrelation",
    "holm",
    "jackknife_intervals",
    "make_exchangeable_units",
    "mantel_test",
    "permutation_tests",
    "required_units",
    "self_baselines",
    "sum_by_unit",
]
