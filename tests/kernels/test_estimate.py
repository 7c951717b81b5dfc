"""Estimated scores against exact ones."""

import numpy as np
import pytest

from abxfast.kernels import PairConstraint, abx_counts, estimate_scores


def make_groups(seed, n_groups=6, n=1000, dim=12, correlation=0.7, kind="plain"):
    """Return vectors of groups with different means, correlated in time, and the cells of all pairs."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n_groups, n, dim))
    for i in range(1, n):
        noise[:, i] = correlation * noise[:, i - 1] + np.sqrt(1 - correlation**2) * noise[:, i]
    noise += 1 + 0.5 * rng.standard_normal((n_groups, 1, dim))
    vectors = noise.reshape(-1, dim)
    if kind == "ties":
        vectors = np.round(vectors / 2)  # with zero vectors among them
    elif kind == "tiny":
        vectors = vectors * 1e-310
    else:
        vectors = vectors.astype(np.float32)
    cells = np.array([(a, b, a) for a in range(n_groups) for b in range(n_groups) if a != b])
    return vectors, rng.permutation(n_groups * n), np.arange(n_groups + 1) * n, cells


def exact_scores(*arguments, **options):
    counts = abx_counts(*arguments, **options)
    return counts.wins2 / (2 * counts.triplets)


def standardized_errors(estimates, exact):
    return (estimates.score - exact) / estimates.standard_error


@pytest.mark.parametrize("kind", ["plain", "ties", "tiny"])
def test_estimates_are_within_their_errors(kind):
    groups = make_groups(0, kind=kind)
    exact = exact_scores(*groups)
    runs = [estimate_scores(*groups, 0.01, seed=seed) for seed in range(12)]
    errors = np.concatenate([standardized_errors(run, exact) for run in runs])
    assert all((run.standard_error > 0).all() and (run.standard_error <= 0.01).all() for run in runs)
    assert abs(errors.mean()) < 4 / np.sqrt(len(errors))
    assert 0.85 < errors.std() < 1.1
    covered = np.concatenate([(run.low <= exact) & (exact <= run.high) for run in runs])
    assert 0.93 < covered.mean() < 0.985


def test_groups_in_order_of_time():
    """Strata of neighbours make the error smaller, and the stated one follows."""
    vectors, _, bounds, cells = make_groups(1, correlation=0.99)
    groups = vectors, np.arange(len(vectors)), bounds, cells
    exact = exact_scores(*groups)
    errors = np.concatenate([standardized_errors(estimate_scores(*groups, 0.01, seed=s), exact) for s in range(20)])
    assert abs(errors.mean()) < 4 / np.sqrt(len(errors))
    assert 0.8 < errors.std() < 1.15


@pytest.mark.parametrize("min_gap_s", [0.0, 200.0])
def test_excluded_pairs(min_gap_s):
    """The score is one over valid pairs only, although their number differs from x to x."""
    vectors, _, bounds, cells = make_groups(2, correlation=0.995, n=1200)
    n = len(vectors)
    start_s = np.arange(n, dtype=np.float64)
    codes = np.stack((np.repeat(np.arange(n // 200), 200), np.arange(n)))[: 2 if min_gap_s else 1]
    constraint = PairConstraint(codes, np.arange(n) // 1200, start_s, start_s + 1, min_gap_s)
    groups = vectors, np.arange(n), bounds, cells
    exact = exact_scores(*groups, constraint=constraint)
    assert np.abs(exact - exact_scores(*groups)).max() > 0.02
    runs = [estimate_scores(*groups, 0.01, seed=seed, constraint=constraint) for seed in range(20)]
    errors = np.concatenate([standardized_errors(run, exact) for run in runs])
    assert abs(errors.mean()) < 4 / np.sqrt(len(errors))
    assert 0.8 < errors.std() < 1.15


def test_x_of_another_group():
    """A task with ACROSS: A, B and X are three groups."""
    vectors, rows, bounds, _ = make_groups(3)
    cells = np.array([(a, b, x) for a in range(6) for b in range(6) for x in range(6) if len({a, b, x}) == 3])
    exact = exact_scores(vectors, rows, bounds, cells)
    errors = standardized_errors(estimate_scores(vectors, rows, bounds, cells, 0.01), exact)
    assert abs(errors.mean()) < 4 / np.sqrt(len(errors))
    assert 0.8 < errors.std() < 1.15


def test_small_cells_are_counted():
    vectors, rows, _, _ = make_groups(4)
    bounds = np.array([0, 2000, 4000, 4030, 4031, 4031])
    cells = np.array([(0, 1, 0), (2, 3, 2), (3, 2, 3), (2, 4, 2), (4, 2, 4), (3, 0, 3), (2, 0, 2)])
    estimates = estimate_scores(vectors, rows, bounds, cells, 0.005)
    counts = abx_counts(vectors, rows, bounds, cells)
    assert 0 < estimates.standard_error[0] <= 0.005
    np.testing.assert_array_equal(estimates.triplets[1:], counts.triplets[1:])
    has_score = counts.triplets > 0
    np.testing.assert_array_equal(np.isnan(estimates.score), ~has_score)
    exact = counts.wins2[has_score][1:] / (2 * counts.triplets[has_score][1:])
    for column in (estimates.score, estimates.low, estimates.high):
        np.testing.assert_array_equal(column[has_score][1:], exact)
    np.testing.assert_array_equal(estimates.standard_error[has_score][1:], 0)


def test_no_valid_pair_is_no_score():
    vectors, rows, bounds, cells = make_groups(5, n_groups=2, n=2000)
    one_recording = PairConstraint(np.zeros((1, len(vectors)), np.int64), np.empty(0), np.empty(0), np.empty(0), 0.0)
    estimates = estimate_scores(vectors, rows, bounds, cells, 0.01, constraint=one_recording)
    assert np.isnan(estimates.score).all()
    assert (estimates.triplets == 0).all()


def test_perfect_scores_have_an_interval():
    vectors, rows, bounds, cells = make_groups(6)
    vectors = vectors + 100 * np.eye(12, dtype=np.float32)[np.repeat(np.arange(6), 1000)]
    rows = np.arange(len(rows))
    estimates = estimate_scores(vectors, rows, bounds, cells, 0.005)
    np.testing.assert_array_equal(estimates.score, 1)
    assert (estimates.low > 0.98).all()
    assert (estimates.low < 1).all()
    assert (estimates.standard_error > 0).all()
    assert (estimates.standard_error <= 0.005).all()
    np.testing.assert_array_equal(estimates.high, 1)


def test_the_seed_sets_the_sample():
    groups = make_groups(7)
    one, many, other = (
        estimate_scores(*groups, 0.01, seed=seed, threads=threads) for seed, threads in ((1, 1), (1, 4), (2, 2))
    )
    for column, same in zip(one, many, strict=True):
        np.testing.assert_array_equal(column, same)
    assert (one.score != other.score).any()
