"""Simulated processes: what the snippets of a recording without a difference may be like.

Each function returns ``n_series`` recordings of ``n`` snippets, float64 ``(n_series, n, DIM)``, of unit variance unless
it says otherwise.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.signal import lfilter

DIM = 20


def autocorrelated(random, n_series, n, correlation=0.0):
    """First-order autocorrelation."""
    innovations = random.standard_normal((n_series, n + 200, DIM))
    filtered = lfilter([1], [1, -correlation], innovations, axis=1)
    return np.sqrt(1 - correlation**2) * filtered[:, 200:]


def slow(random, n_series, n, share, correlation=0.95):
    """Add a slow component, with a share of the variance, to noise with a correlation of 0.2."""
    fast = autocorrelated(random, n_series, n, 0.2)
    return np.sqrt(1 - share) * fast + np.sqrt(share) * autocorrelated(random, n_series, n, correlation)


def second_order(random, n_series, n, first, second):
    """Second-order autocorrelation."""
    variance = (1 - second) / ((1 + second) * ((1 - second) ** 2 - first**2))
    innovations = random.standard_normal((n_series, n + 200, DIM))
    return lfilter([1], [1, -first, -second], innovations, axis=1)[:, 200:] / np.sqrt(variance)


def step(random, n_series, n, size=2.0, correlation=0.0):
    """Add a step of `size` standard deviations in one dimension, at any time but in the first and last fifth."""
    series = autocorrelated(random, n_series, n, correlation)
    for one in series:
        one[random.integers(n // 5, n - n // 5) :, random.integers(DIM)] += size * random.choice([-1, 1])
    return series


def levels(random, n_series, n, mean_length, size):
    """Levels that stay for `mean_length` snippets on average, `size` standard deviations apart in each dimension."""
    series = autocorrelated(random, n_series, n)
    for row in range(n_series):
        number = np.cumsum(random.random(n) < 1 / mean_length)
        series[row] += size * random.standard_normal((number[-1] + 1, DIM))[number]
    return series


def walk(random, n_series, n, size=0.1):
    """Add a random walk to noise."""
    return autocorrelated(random, n_series, n) + np.cumsum(size * random.standard_normal((n_series, n, DIM)), axis=1)


def slow_dimension(random, n_series, n, correlation):
    """Return noise, one dimension of which is slow."""
    series = autocorrelated(random, n_series, n)
    series[..., 0] = autocorrelated(random, n_series, n + 800, correlation)[:, 800:, 0]
    return series


def long_memory(random, n_series, n, order):
    """Return fractionally integrated noise (Granger and Joyeux 1980), from 3,000 terms."""
    lag = np.arange(1, 3000)
    weights = np.concatenate(([1.0], np.cumprod((lag - 1 + order) / lag)))
    innovations = random.standard_normal((n_series, n + len(weights), DIM))
    size = 2 * innovations.shape[1]
    spectrum = np.fft.rfft(innovations, size, axis=1) * np.fft.rfft(weights, size)[:, None]
    series = np.fft.irfft(spectrum, size, axis=1)[:, len(weights) : len(weights) + n]
    return series / np.sqrt(np.square(weights).sum())


def drift(random, n_series, n, size=1.0):
    """Add a linear trend to noise."""
    slope = size * random.standard_normal((n_series, 1, DIM))
    return autocorrelated(random, n_series, n) + np.linspace(-1, 1, n)[:, None] * slope


def max_pooled(random, n_series, n, correlation=0.9, frames=20):
    """Snippets are maxima over frames, which are autocorrelated."""
    pooled = autocorrelated(random, n_series, n * frames, correlation).reshape(n_series, n, frames, DIM).max(axis=2)
    return (pooled - pooled.mean()) / pooled.std()


def heavy_tailed(random, n_series, n):
    """Student's t with 3 degrees of freedom."""
    return random.standard_t(3, (n_series, n, DIM)) / np.sqrt(3)


def bursts(random, n_series, n):
    """Noise whose level is autocorrelated."""
    return np.exp(0.7 * autocorrelated(random, n_series, n, 0.9)[..., :1]) * autocorrelated(random, n_series, n)


def overlapping(random, n_series, n):
    """Snippets that share half of their audio with the next one."""
    halves = random.standard_normal((n_series, n + 1, DIM))
    return (halves[:, 1:] + halves[:, :-1]) / np.sqrt(2)


PROCESSES = {
    "white noise": autocorrelated,
    "ρ = 0.5": partial(autocorrelated, correlation=0.5),
    "ρ = 0.8": partial(autocorrelated, correlation=0.8),
    "slow component, 30%": partial(slow, share=0.3),
    "slow component, 10%": partial(slow, share=0.1),
    "slow component, 3%": partial(slow, share=0.03),
    "very slow component, 5%": partial(slow, share=0.05, correlation=0.99),
    "second order": partial(second_order, first=0.3, second=0.4),
    "one step": step,
    "one step, ρ = 0.5": partial(step, correlation=0.5),
    "changing levels": partial(levels, mean_length=60, size=0.5),
    "random walk": walk,
    "levels longer than the recording": partial(levels, mean_length=300, size=0.3),
    "one slow dimension": partial(slow_dimension, correlation=0.99),
    "long memory, 0.35": partial(long_memory, order=0.35),
    "linear drift": drift,
    "max-pooled frames": max_pooled,
    "heavy tails": heavy_tailed,
    "bursts": bursts,
    "overlapping": overlapping,
}
"""Processes by name."""
