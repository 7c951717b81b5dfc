import numpy as np
import pytest

from abxfast.figures import DIVERGING, DIVERGING_DARK


@pytest.mark.parametrize("stops", [DIVERGING, DIVERGING_DARK])
def test_lightness_alone_shows_the_distance_from_chance_level(stops):
    luminance = [relative_luminance(colour) for _, colour in stops]
    middle = [score for score, _ in stops].index(0.5)
    sign = 1 if stops is DIVERGING else -1
    assert all(np.diff(luminance[: middle + 1]) * sign > 0)
    assert all(np.diff(luminance[middle:]) * sign < 0)


@pytest.mark.parametrize("deficiency", ["protan", "deutan", "tritan"])
def test_both_sides_of_chance_level_differ_in_any_colour_vision(deficiency):
    below, above = (simulate(dict(DIVERGING)[score], deficiency) for score in (0.4, 0.6))
    assert np.abs(below - above).max() > 0.15


def linear_rgb(colour):
    channels = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def relative_luminance(colour):
    return linear_rgb(colour) @ [0.2126, 0.7152, 0.0722]


def simulate(colour, deficiency):
    """Simulate a colour vision deficiency at full severity (Machado, Oliveira and Fernandes 2009)."""
    matrices = {
        "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
        "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
    }
    return np.clip(np.array(matrices[deficiency]) @ linear_rgb(colour), 0, 1)
