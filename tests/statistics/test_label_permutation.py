"""Permutations of labels within strata, and the number of distinct ones, against all of them."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.statistics.label_permutation import count_distinct, permute_labels

UNITS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=2, max_size=7)
"""Label and stratum of each unit."""


def codes(units):
    return (np.unique(column, return_inverse=True)[1].reshape(-1) for column in np.array(units).T)


def every_labelling(label, stratum):
    """Return all labellings that keep the counts in each stratum."""
    observed = sorted(zip(stratum.tolist(), label.tolist(), strict=True))
    return {
        order
        for order in itertools.permutations(label.tolist())
        if sorted(zip(stratum.tolist(), order, strict=True)) == observed
    }


@settings(derandomize=True, deadline=None, max_examples=40)
@given(UNITS)
def test_permutations_keep_the_counts_of_each_stratum(units):
    label, stratum = codes(units)
    labels = permute_labels(label, stratum, 50, seed=0)
    assert (labels[0] == label).all()
    for s in np.unique(stratum):
        assert (np.sort(labels[:, stratum == s], axis=1) == np.sort(label[stratum == s])).all()


@settings(derandomize=True, deadline=None, max_examples=40)
@given(UNITS)
def test_number_of_distinct_labellings_equals_that_of_all_up_to_names(units):
    label, stratum = codes(units)
    labellings = every_labelling(label, stratum)
    counts = [
        tuple(((label == value) & (stratum == s)).sum() for s in np.unique(stratum)) for value in np.unique(label)
    ]
    renamings = math.prod(math.factorial(counts.count(each)) for each in set(counts))
    assert count_distinct(label, stratum) == len(labellings) / renamings
    # A labelling up to the names of its values is given by which units share a value.
    partitions = {tuple(map(tuple, np.equal.outer(each, each).tolist())) for each in labellings}
    assert len(partitions) <= count_distinct(label, stratum)


def test_permutations_are_shared_and_read_only():
    label, stratum = np.arange(6) % 2, np.zeros(6, np.int64)
    labels = permute_labels(label, stratum, 20, seed=3)
    assert permute_labels(label.copy(), stratum, 20, seed=3) is labels
    with pytest.raises(ValueError, match="read-only"):
        labels[0, 0] = 1
