"""ABX scores estimated from a stratified sample of triplets, at a cost that does not grow with the groups."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import config

from abxfast.kernels.abx_counting import abx_counts
from abxfast.kernels.abx_counting.pair_constraint import PairConstraint, constraint_of_positions, is_excluded
from abxfast.kernels.abx_counting.parallel import for_each
from abxfast.kernels.cosine import TIE
from abxfast.kernels.jit import compiled
from abxfast.kernels.subsample import splitmix64_keys

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PER_X = 8
"""a and b drawn for each x. From 6 to 12 the variance per distance changes by less than 10%."""
_PILOT = 128
_MIN_DRAWS = 256
_MIN_DRAWS_TIMES_ERROR = 2
"""If all draws agree, the score may still be about 1 / n away: no further than the error asked for."""
_MARGIN = 1.25
"""Factor on the number of draws, so that an error of the pilot's variance rarely leaves the estimate short."""
_COST_OF_DRAW = 160
"""How many distances a matrix product computes in the time that the 16 of a draw take."""
_Z95 = 1.959963984540054


class AbxEstimates(NamedTuple):
    """The result of `estimate_scores`.

    Attributes
    ----------
    score : ndarray of float64, shape (cells,)
        NaN if a cell has no triplet.
    standard_error : ndarray of float64, shape (cells,)
        0 if the cell was counted exactly.
    low, high : ndarray of float64, shape (cells,)
        95% interval of the exact score; both are `score` if the cell was counted exactly.
    triplets : ndarray of int64, shape (cells,)
        Number of triplets compared.
    """

    score: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    triplets: NDArray[np.int64]


def estimate_scores(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    rows: NDArray[np.int64],
    bounds: NDArray[np.int64],
    cells: NDArray[np.int64],
    standard_error: float,
    *,
    seed: int = 0,
    constraint: PairConstraint | None = None,
    memory_mb: float = 512,
    threads: int | None = None,
) -> AbxEstimates:
    """Estimate the score of each cell from a sample of its triplets.

    Parameters
    ----------
    embeddings, rows, bounds, cells, constraint, memory_mb, threads
        See `abx_counts`.
    standard_error : float
        Of each score, at most. It is the error of sampling: the exact score is what is estimated.
    seed : int
        The sample of a cell depends on the seed and on the index of the cell.

    Returns
    -------
    AbxEstimates
        Exactly the same for any `memory_mb` and `threads`.

    Notes
    -----
    X is cut into strata of equal size, in the order of `rows`. Two x are drawn from each, and for each x eight a and
    eight b, from eight strata of A and B; all 64 triplets are compared. Draws that `constraint` excludes are left out,
    which makes the score a ratio. Its variance is estimated from the differences within strata (Cochran 1977, Sampling
    Techniques, chapters 5, 5A and 6). A pilot sample sets the size of the next one, until the error is small enough.
    The interval is Wilson's (1927, doi:10.1080/01621459.1927.10502953), for the number of independent triplets that
    would have the same variance.

    Cells that are cheaper to count, or of which the pilot finds no valid pair (a, x), are counted exactly.
    """
    sizes = np.diff(bounds)[cells]
    seeds = splitmix64_keys(seed, np.arange(len(cells)))
    score, error, low, high = np.full((4, len(cells)), np.nan)
    result = AbxEstimates(score, error, low, high, np.zeros(len(cells), np.int64))
    local = constraint_of_positions(constraint, rows)
    is_exact = np.ones(len(cells), np.bool_)
    min_draws = max(_MIN_DRAWS, 2 * math.ceil(_MIN_DRAWS_TIMES_ERROR / standard_error / 2))
    # Exact counts share the distances between X and A over all cells with the same X and A.
    _, pair, n_sharing = np.unique(cells[:, [2, 0]], axis=0, return_inverse=True, return_counts=True)
    n_distances = sizes[:, 2] * (sizes[:, 0] / n_sharing[pair.reshape(-1)] + sizes[:, 1])
    is_large = (sizes > 0).all(axis=1) & (n_distances > _COST_OF_DRAW * min_draws)
    plain = embeddings.view(np.ndarray)
    spans = np.stack((bounds[cells], bounds[cells + 1]), axis=2)

    def estimate(cell: int) -> None:
        n_draws, stage = _PILOT, 0
        sample = _sample(plain, rows, spans[cell], local, n_draws, seeds[cell], stage)
        while sample is not None and (stage == 0 or sample.variance > standard_error**2):
            n_draws = max(min_draws, 2 * math.ceil(_MARGIN * n_draws * sample.variance / standard_error**2 / 2))
            if n_distances[cell] <= _COST_OF_DRAW * n_draws:
                break
            stage += 1
            sample = _sample(plain, rows, spans[cell], local, n_draws, seeds[cell], stage)
        else:
            if sample is not None:
                is_exact[cell] = False
                result.score[cell] = sample.score
                result.low[cell], result.high[cell] = _wilson_interval(sample.score, sample.variance, n_draws)
                wilson_error = (result.high[cell] - result.low[cell]) / (2 * _Z95)
                result.standard_error[cell] = sample.variance**0.5 or wilson_error
                result.triplets[cell] = sample.triplets

    n_threads = threads or config.NUMBA_DEFAULT_NUM_THREADS  # type: ignore[attr-defined]
    with ThreadPoolExecutor(n_threads) as pool:
        for_each(pool, n_threads, estimate, ((cell,) for cell in np.flatnonzero(is_large).tolist()))
    _count_exactly(result, np.flatnonzero(is_exact), embeddings, rows, bounds, cells, constraint, memory_mb, threads)
    return result


class _Sample(NamedTuple):
    score: float
    variance: float
    triplets: int


def _sample(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    rows: NDArray[np.int64],
    spans: NDArray[np.int64],
    constraint: PairConstraint,
    n_draws: int,
    seed: np.uint64,
    stage: int,
) -> _Sample | None:
    """Draw an even number of x, and return the score, its variance and the number of triplets.

    Returns None if no pair (a, x) that was drawn is valid.
    """
    wins2, triplets = np.zeros(n_draws, np.int64), np.zeros(n_draws, np.int64)
    draw_triplets(embeddings, rows, spans, constraint, np.uint64(seed ^ np.uint64(stage)), wins2, triplets)
    total = int(triplets.sum())
    if total == 0:
        return None
    score = float(wins2.sum()) / (2 * total)
    residuals = (wins2 / 2 - score * triplets) / total
    variance = float(np.square(residuals[::2] - residuals[1::2]).sum())
    return _Sample(score, variance, total)


def _wilson_interval(score: float, variance: float, n_draws: int) -> tuple[float, float]:
    """Return the ends of the 95% interval; the draws of one x count as one where they all agree."""
    binomial = score * (1 - score)
    n = max(binomial / variance, n_draws) if variance > 0 else n_draws
    z2 = _Z95**2 / n
    centre, half = (score + z2 / 2) / (1 + z2), (z2 * (binomial + z2 / 4)) ** 0.5 / (1 + z2)
    return max(min(centre - half, score), 0.0), min(max(centre + half, score), 1.0)


def _count_exactly(
    result: AbxEstimates,
    which: NDArray[np.int64],
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    rows: NDArray[np.int64],
    bounds: NDArray[np.int64],
    cells: NDArray[np.int64],
    constraint: PairConstraint | None,
    memory_mb: float,
    threads: int | None,
) -> None:
    if not len(which):
        return
    counts = abx_counts(
        embeddings, rows, bounds, cells[which], constraint=constraint, memory_mb=memory_mb, threads=threads
    )
    has_score = counts.triplets > 0
    score = np.divide(counts.wins2, 2 * counts.triplets, where=has_score, out=np.full(len(which), np.nan))
    for column in (result.score, result.low, result.high):
        column[which] = score
    result.standard_error[which] = np.where(has_score, 0.0, np.nan)
    result.triplets[which] = counts.triplets


@compiled
def _next(state):  # type: ignore[no-untyped-def]
    """Advance a SplitMix64 generator, an array of one uint64; return a float64 in [0, 1)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    value = state[0]
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    value = value ^ (value >> np.uint64(31))
    return np.float64(value >> np.uint64(11)) * 2.0**-53


@compiled
def _dot(left, right):  # type: ignore[no-untyped-def]
    """Return the inner product of two float64 vectors, in eight partial sums so that the compiler vectorizes them."""
    sums = np.zeros(8)
    n_full = len(left) - len(left) % 8
    for k in range(0, n_full, 8):
        for lane in range(8):
            sums[lane] += left[k + lane] * right[k + lane]
    for k in range(n_full, len(left)):
        sums[k - n_full] += left[k] * right[k]
    return sums.sum()


@compiled
def _write_unit_vector(vector, out):  # type: ignore[no-untyped-def]
    """Write a vector scaled to length 1; zero stays zero.

    It is first scaled by a power of two, in two steps as in `unit_vectors`, so that squares neither underflow nor
    overflow.
    """
    out[:] = vector
    exponent = -math.frexp(np.abs(out).max())[1]
    out *= math.ldexp(1.0, exponent // 2)
    out *= math.ldexp(1.0, exponent - exponent // 2)
    square = _dot(out, out)
    if square > 0:
        out *= 1 / math.sqrt(square)


@compiled
def _draw(state, stratum, n_strata, start, stop):  # type: ignore[no-untyped-def]
    """Draw a position from one of the strata of equal size into which the positions from start to stop are cut.

    A stratum may begin and end between two positions: each position then has the same chance over all strata.
    """
    position = start + np.int64((stratum + _next(state)) / n_strata * (stop - start))
    return min(position, stop - 1)


@compiled
def draw_triplets(embeddings, rows, spans, constraint, seed, wins2, triplets):  # type: ignore[no-untyped-def]
    """Draw two x from each stratum of X, each with its a and b, and compare them.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
    rows : ndarray of int64, shape (m,)
    spans : ndarray of int64, shape (3, 2)
        First and end position of A, B and X, none of them empty.
    constraint : PairConstraint
        Indexed by position.
    seed : uint64
    wins2, triplets : ndarray of int64, shape (draws,)
        An even number. Written: 2 · wins + ties, and the number of triplets, of each draw.
    """
    n_draws = len(wins2)
    state = np.full(1, seed, np.uint64)
    x_vector, other, cosine_a = np.empty(embeddings.shape[1]), np.empty(embeddings.shape[1]), np.empty(_PER_X)
    for draw in range(n_draws):
        x = _draw(state, draw // 2, n_draws // 2, spans[2, 0], spans[2, 1])
        _write_unit_vector(embeddings[rows[x]], x_vector)
        x_in_a = spans[0, 0] <= x < spans[0, 1]
        stop_a = spans[0, 1] - x_in_a
        n_a = won = 0
        for j in range(_PER_X if stop_a > spans[0, 0] else 0):
            a = _draw(state, j, _PER_X, spans[0, 0], stop_a)
            a += x_in_a and a >= x
            if not is_excluded(constraint, x, a):
                _write_unit_vector(embeddings[rows[a]], other)
                cosine_a[n_a] = _dot(x_vector, other)
                n_a += 1
        for j in range(_PER_X if n_a else 0):
            b = _draw(state, j, _PER_X, spans[1, 0], spans[1, 1])
            _write_unit_vector(embeddings[rows[b]], other)
            cosine_b = _dot(x_vector, other)
            for i in range(n_a):
                lead = cosine_a[i] - cosine_b
                won += 2 if lead > TIE else lead >= -TIE
        wins2[draw], triplets[draw] = won, n_a * _PER_X
