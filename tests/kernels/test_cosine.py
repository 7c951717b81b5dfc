"""Products and their error bounds against exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest

from abxfast.kernels import unit_vectors
from abxfast.kernels.cosine import exact_products, product_error


def exact(x, y):
    return sum(Fraction(a) * Fraction(b) for a, b in zip(x, y, strict=True))


@pytest.mark.parametrize("dim", [1, 7, 8, 1027])
def test_products_in_twice_the_precision(dim):
    vectors = unit_vectors(np.random.default_rng(dim).standard_normal((4, dim)))
    high, low = np.empty((2, 3))
    exact_products(vectors[0], vectors[1:], high, low)
    for k in range(3):
        product = exact(vectors[0], vectors[k + 1])
        assert abs(Fraction(high[k]) + Fraction(low[k]) - product) < 1e-26
        assert abs(vectors[0] @ vectors[k + 1] - product) <= product_error(dim)
        swapped = np.empty((2, 1))
        exact_products(vectors[k + 1], vectors[:1], *swapped)
        assert swapped.reshape(-1).tolist() == [high[k], low[k]]


@pytest.mark.parametrize("scale", [1e-310, 1e-300, 1.0, 1e300])
def test_unit_vectors_of_any_magnitude(scale):
    vectors = np.random.default_rng(0).standard_normal((5, 64))
    vectors[0] = 0
    unit = unit_vectors(vectors * scale)
    np.testing.assert_allclose((unit**2).sum(axis=1), [0, 1, 1, 1, 1], rtol=1e-14)
    assert unit_vectors(vectors[2:3] * scale).tolist() == unit[2:3].tolist()
