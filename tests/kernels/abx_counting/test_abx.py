"""Counts against the float64 loop, on adversarial input."""

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from abxfast.kernels import PairConstraint, abx_counts


def all_pairs(n_groups):
    """Return all cells (A, B, A)."""
    return np.array([(a, b, a) for a in range(n_groups) for b in range(n_groups) if a != b])


def random_groups(rng, sizes):
    """Return rows and bounds of groups whose rows are shuffled."""
    bounds = np.concatenate(([0], np.cumsum(sizes)))
    return rng.permutation(bounds[-1]), bounds


def check(embeddings, rows, bounds, cells, **options):
    """Compare every cell with the loop; only comparisons on an edge of the tie band may differ."""
    counts = abx_counts(embeddings, rows, bounds, cells, **options)
    d = reference.distances(embeddings)
    for cell, (a, b, x) in enumerate(cells):
        sets = [rows[bounds[g] : bounds[g + 1]] for g in (a, b, x)]
        wins2, triplets, edge = reference.counts(d, *sets)
        assert counts.triplets[cell] == triplets
        assert abs(counts.wins2[cell] - wins2) <= edge, (cell, counts.wins2[cell], wins2, edge)
    return counts


def vectors(kind, rng, n, dim):
    """Return random vectors of one kind of the adversarial set."""
    plain = rng.standard_normal((max(n, 3), dim))
    if kind == "duplicates":
        plain = plain[rng.integers(0, 3, len(plain))]
    elif kind == "scaled duplicates":
        plain = plain[rng.integers(0, 3, len(plain))] * 10.0 ** rng.integers(-20, 21, (len(plain), 1))
    elif kind == "zeros":
        plain[rng.random(len(plain)) < 0.4] = 0
    elif kind == "denormals":
        plain *= 1e-310
    elif kind == "norms":
        plain *= 10.0 ** rng.integers(-20, 21, (len(plain), 1))
    elif kind == "signs":
        plain = np.sign(plain)
    elif kind.startswith("near"):
        # the mean cosine distance is about the square of the spread
        plain = np.ones(dim) + float(kind[4:]) ** 0.5 * plain
    return plain[:n]


KINDS = ["plain", "duplicates", "scaled duplicates", "zeros", "denormals", "norms", "signs"]
KINDS += ["near1e-2", "near1e-5", "near1e-7", "near1e-9", "near1e-12"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dim", [1, 3, 64, 1024, 4096])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adversarial_vectors(kind, dim, dtype):
    rng = np.random.default_rng(dim)
    rows, bounds = random_groups(rng, [3, 30, 12, 1])
    check(vectors(kind, rng, bounds[-1], dim).astype(dtype), rows, bounds, all_pairs(4))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 9), min_size=2, max_size=6),
    st.integers(1, 5),
    st.sampled_from(KINDS),
    st.integers(0, 2**32),
)
def test_random_cells(sizes, dim, kind, seed):
    """Cells of any three groups; half of the vectors are small integers, so that many distances are tied."""
    rng = np.random.default_rng(seed)
    rows, bounds = random_groups(rng, sizes)
    cells = rng.integers(0, len(sizes), (8, 3))
    cells = cells[(cells[:, 0] != cells[:, 1]) & (cells[:, 1] != cells[:, 2])]
    embeddings = vectors(kind, rng, bounds[-1], dim)
    if seed % 2:
        embeddings = np.round(embeddings)
    check(embeddings, rows, bounds, np.unique(cells, axis=0))


def assert_equal_counts(counts, expected):
    """Compare all counts and marginals, if there are any, exactly."""
    np.testing.assert_array_equal(counts.wins2, expected.wins2)
    np.testing.assert_array_equal(counts.triplets, expected.triplets)
    if expected.marginals is not None:
        for role, expected_role in zip(counts.marginals, expected.marginals, strict=True):
            np.testing.assert_array_equal(role.wins2, expected_role.wins2)


@pytest.mark.parametrize("kind", ["plain", "scaled duplicates", "near1e-7"])
@pytest.mark.parametrize("marginals", [False, True])
def test_tiles_threads_and_order_do_not_matter(kind, marginals):
    rng = np.random.default_rng(5)
    rows, bounds = random_groups(rng, [700, 40, 300, 5, 120, 90])
    embeddings = vectors(kind, rng, bounds[-1], 24).astype(np.float32)
    cells = all_pairs(6)
    blocks = np.concatenate([np.arange(n) % 7 for n in np.diff(bounds)]) if marginals else None
    settings_of_runs = [{}, {"threads": 1}, {"threads": 3}, {"memory_mb": 6}, {"memory_mb": 2}]
    runs = [abx_counts(embeddings, rows, bounds, cells, blocks=blocks, **each) for each in settings_of_runs]
    shuffle = rng.permutation(len(rows))
    runs.append(abx_counts(embeddings[shuffle], np.argsort(shuffle)[rows], bounds, cells, blocks=blocks, memory_mb=4))
    for run in runs[1:]:
        assert_equal_counts(run, runs[0])
    assert (runs[0].triplets > 0).all()


@pytest.mark.parametrize("kind", ["plain", "scaled duplicates", "near1e-7"])
@pytest.mark.parametrize("marginals", [False, True])
def test_lists_of_one_row_at_a_time(kind, marginals):
    """So little memory that no list is kept; the time grows with the number of rows times that of tiles."""
    rng = np.random.default_rng(5)
    rows, bounds = random_groups(rng, [200, 40, 90, 5, 30, 20])
    embeddings = vectors(kind, rng, bounds[-1], 24).astype(np.float32)
    cells = all_pairs(6)
    blocks = np.concatenate([np.arange(n) % 7 for n in np.diff(bounds)]) if marginals else None
    expected = abx_counts(embeddings, rows, bounds, cells, blocks=blocks)
    assert_equal_counts(abx_counts(embeddings, rows, bounds, cells, blocks=blocks, memory_mb=0.3), expected)
    assert (expected.triplets > 0).all()


def test_many_tiles():
    rng = np.random.default_rng(8)
    rows, bounds = random_groups(rng, [30, 3, 17, 25, 9])
    for memory_mb in (0.01, 0.03, 0.1):
        check(rng.standard_normal((bounds[-1], 3)), rows, bounds, all_pairs(5), memory_mb=memory_mb)


def test_more_than_65535_distances():
    """Long lists need 32-bit indices."""
    rng = np.random.default_rng(2)
    n = 70_000
    embeddings = rng.standard_normal((n + 2, 2))
    bounds = np.array([0, n, n + 1, n + 2])
    counts = abx_counts(embeddings, np.arange(n + 2), bounds, np.array([(0, 1, 2)]))
    vectors = reference.unit(embeddings)
    difference = (1 - vectors[n] @ vectors[-1]) - (1 - vectors[:n] @ vectors[-1])
    assert counts.wins2[0] == 2 * (difference > 1e-12).sum() + (abs(difference) <= 1e-12).sum()


def test_score_is_the_mean_auc():
    """A score is the mean over x of the area under the curve for separating A from B by distance to x."""
    rng = np.random.default_rng(3)
    embeddings = np.round(rng.standard_normal((60, 3)))
    embeddings[:, 0] += np.repeat([0, 1], 30)
    counts = abx_counts(embeddings, np.arange(60), np.array([0, 30, 60]), np.array([(0, 1, 0)]))
    d = np.round(reference.distances(embeddings), 10)
    areas = [
        roc_auc_score(np.repeat([0, 1], [29, 30]), np.concatenate((np.delete(d[x, :30], x), d[x, 30:])))
        for x in range(30)
    ]
    assert counts.wins2[0] / counts.triplets[0] / 2 == pytest.approx(np.mean(areas), abs=1e-14)


def random_constraint(rng, m):
    codes = rng.integers(0, 4, (1, m))
    recording = rng.integers(0, 3, m)
    start = rng.uniform(0, 20, m)
    return PairConstraint(codes, recording, start, start + 2, 3.0)


@pytest.mark.parametrize("kind", ["plain", "duplicates", "near1e-9"])
@pytest.mark.parametrize("sizes", [[6, 9, 4], [40, 30, 28]])
def test_constraints_and_marginals(kind, sizes):
    rng = np.random.default_rng(11)
    rows, bounds = random_groups(rng, sizes)
    embeddings = vectors(kind, rng, bounds[-1], 6)
    d = reference.distances(embeddings)
    constraint = random_constraint(rng, bounds[-1])

    def allowed(a, x):
        gap = max(constraint.start_s[a], constraint.start_s[x]) - min(constraint.end_s[a], constraint.end_s[x])
        too_close = constraint.recording[a] == constraint.recording[x] and gap < constraint.min_gap_s
        return constraint.codes[0, a] != constraint.codes[0, x] and not too_close

    cells = np.concatenate((all_pairs(3), [(0, 1, 2)]))
    blocks = np.concatenate([np.arange(n) // 3 for n in sizes])
    counts = abx_counts(embeddings, rows, bounds, cells, constraint=constraint, blocks=blocks, memory_mb=0.05)
    for cell, (a, b, x) in enumerate(cells):
        sets = [rows[bounds[g] : bounds[g + 1]] for g in (a, b, x)]
        wins2, triplets, edge = reference.counts(d, *sets, allowed)
        assert counts.triplets[cell] == triplets
        assert abs(counts.wins2[cell] - wins2) <= edge
        assert edge == 0 or kind == "near1e-9"
        expected = reference.marginals(d, *sets, allowed)
        for role, group, by_snippet in zip(counts.marginals, (x, a, b), expected, strict=True):
            own = slice(role.at[cell], role.at[cell + 1])
            by_block = np.bincount(blocks[bounds[group] : bounds[group + 1]], by_snippet).astype(int)
            assert abs(role.wins2[own] - by_block).sum() <= edge
            assert role.wins2[own].sum() == counts.wins2[cell]
            assert role.triplets[own].sum() == triplets


def check_marginals(embeddings, rows, bounds, cells, **options):
    """Do as `check`, and compare what each snippet wins."""
    blocks = np.concatenate([np.arange(n) for n in np.diff(bounds)])
    counts = check(embeddings, rows, bounds, cells, blocks=blocks, **options)
    d = reference.distances(embeddings)
    for cell, (a, b, x) in enumerate(cells):
        sets = [rows[bounds[g] : bounds[g + 1]] for g in (a, b, x)]
        _, _, edge = reference.counts(d, *sets)
        for role, expected in zip(counts.marginals, reference.marginals(d, *sets), strict=True):
            wins2 = role.wins2[role.at[cell] : role.at[cell + 1]]
            assert abs(wins2 - expected).sum() <= 2 * edge, (cell, a, b, x)


@pytest.mark.parametrize("kind", ["plain", "duplicates", "near1e-9", "near1e-12"])
@pytest.mark.parametrize("dim", [1, 3, 1024])
def test_marginals_snippet_by_snippet(kind, dim):
    """Some distances are closer than the fixed point in which the lists are sorted can resolve."""
    rng = np.random.default_rng(12)
    rows, bounds = random_groups(rng, [40, 32])
    check_marginals(vectors(kind, rng, bounds[-1], dim), rows, bounds, all_pairs(2))


@pytest.mark.parametrize("kind", ["plain", "zeros", "near1e-9"])
@pytest.mark.parametrize("memory_mb", [0.05, 64])
def test_marginals_of_more_cells_than_a_vector_has_lanes(kind, memory_mb):
    """Many B for one X and A, several A for one X and B, and random cells."""
    rng = np.random.default_rng(14)
    rows, bounds = random_groups(rng, [50, *rng.integers(1, 6, 39), 30])
    many = [(0, b, 0) for b in range(1, 41)] + [(40, b, 40) for b in range(20)]
    across = [(a, b, 5) for a in range(6, 25) for b in (1, 2, 3)] + [(0, 1, 5), (0, 2, 5), (0, 3, 5), (0, 4, 5)]
    mixed = [tuple(rng.permutation(41)[:3]) for _ in range(100)]
    cells = rng.permutation(np.unique(many + across + mixed, axis=0))
    check_marginals(vectors(kind, rng, bounds[-1], 4), rows, bounds, cells, memory_mb=memory_mb)


@pytest.mark.parametrize("sizes", [[700, 1000], [700, *[50] * 40], [2000, 900, 3]])
def test_marginals_larger_than_16_bits(sizes):
    """Each a wins every triplet, more than 16 bits hold within one tile."""
    rng = np.random.default_rng(15)
    rows, bounds = random_groups(rng, sizes)
    embeddings = np.empty((bounds[-1], len(sizes)))
    embeddings[rows] = np.repeat(np.eye(len(sizes)), sizes, axis=0)
    embeddings += 0.01 * rng.standard_normal(embeddings.shape)
    blocks = np.concatenate([np.arange(n) for n in sizes])
    counts = abx_counts(embeddings, rows, bounds, all_pairs(len(sizes)), blocks=blocks)
    assert (counts.wins2 == 2 * counts.triplets).all()
    for role in counts.marginals:
        np.testing.assert_array_equal(role.wins2, 2 * role.triplets)


@pytest.mark.parametrize("kind", ["plain", "near1e-7"])
@pytest.mark.parametrize("memory_mb", [0.7, 1.1, 64])
def test_wide_tiles_strips_and_partly_kept_groups(kind, memory_mb, monkeypatch):
    rng = np.random.default_rng(13)
    rows, bounds = random_groups(rng, [150, 20, 90, 130, 3])
    embeddings = vectors(kind, rng, bounds[-1], 8)
    cells = np.concatenate((all_pairs(5), [(0, 1, 2), (3, 1, 2), (0, 3, 2)]))
    blocks = np.concatenate([np.arange(n) for n in np.diff(bounds)])
    expected = abx_counts(embeddings, rows, bounds, cells, blocks=blocks)
    for name, value in {
        "tiling._TILE": 32,
        "tiling._WIDE_TILE": 64,
        "tiling._STRIP": 16,
        "sweep._UNDECIDED": 100,
    }.items():
        monkeypatch.setattr(f"abxfast.kernels.abx_counting.{name}", value)
    counts = abx_counts(embeddings, rows, bounds, cells, blocks=blocks, memory_mb=memory_mb, threads=2)
    np.testing.assert_array_equal(counts.wins2, expected.wins2)
    for role, expected_role in zip(counts.marginals, expected.marginals, strict=True):
        np.testing.assert_array_equal(role.wins2, expected_role.wins2)
        np.testing.assert_array_equal(role.triplets, expected_role.triplets)
