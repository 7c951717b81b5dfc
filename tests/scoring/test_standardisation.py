"""Standardised channels, against scikit-learn; and channels that outweigh the others."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.preprocessing import StandardScaler

from abxfast import score_embeddings
from abxfast.errors import TaskError
from abxfast.scoring import (
    format_scores_csv,
    format_scores_json,
    measure_dominance,
    standardisation,
    standardise_vectors,
    write_scores,
)

LABELS = {"vowel": list("aabbaabb"), "speaker": list("11112222")}
VECTORS = np.random.default_rng(0).normal(5, 1, (8, 6)) * np.array([100, 1, 1, 1, 1, 1])


@given(
    arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 5)), elements=st.floats(-100, 100, width=32)),
    st.sampled_from([1, 7, 1 << 20]),
)
def test_channels_are_those_of_scikit_learn(vectors, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standardisation, "_VALUES_PER_CHUNK", chunk)
        centred, scaled = (standardise_vectors(vectors, method) for method in ("center", "zscore"))
    assert centred.dtype == scaled.dtype == np.float64
    exact = vectors.astype(np.float64)
    expected = StandardScaler(with_std=False).fit_transform(exact)
    np.testing.assert_allclose(centred, expected, rtol=0, atol=1e-12)
    for channel in range(vectors.shape[1]):
        if (exact[:, channel] == exact[0, channel]).all():
            assert not scaled[:, channel].any()
        elif exact[:, channel].std() > 1e-6 * np.abs(exact[:, channel]).max():  # scikit-learn takes others as constant
            expected = StandardScaler().fit_transform(exact[:, [channel]])[:, 0]
            np.testing.assert_allclose(scaled[:, channel], expected, rtol=1e-9, atol=1e-9)


def test_a_constant_whose_mean_is_rounded_becomes_zero():
    for method in ("center", "zscore"):
        assert not standardise_vectors(np.full((1_000_003, 1), np.float32(0.1)), method).any()


def test_large_results_are_mapped_from_a_scratch_file():
    vectors = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32)
    mapped = standardise_vectors(vectors, "zscore", memory_mb=0.001)
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, standardise_vectors(vectors, "zscore"))


def test_no_vectors():
    assert standardise_vectors(np.empty((0, 3), np.float32), "zscore").shape == (0, 3)
    assert measure_dominance(np.empty((0, 3), np.float32)) is None


@pytest.mark.parametrize("method", ["center", "zscore"])
def test_scores_are_those_of_standardised_vectors(method):
    scores = score_embeddings(VECTORS, LABELS, on="vowel", by=["speaker"], standardise=method)
    scaler = StandardScaler(with_std=method == "zscore")
    expected = score_embeddings(scaler.fit_transform(VECTORS), LABELS, on="vowel", by=["speaker"])
    assert scores.table == expected.table
    assert scores.table != score_embeddings(VECTORS, LABELS, on="vowel", by=["speaker"]).table


def test_z_scores_do_not_depend_on_offset_and_scale_of_a_channel():
    rng = np.random.default_rng(1)
    changed = VECTORS * np.exp(rng.normal(0, 2, 6)) + rng.normal(0, 50, 6)
    tables = [
        score_embeddings(vectors, LABELS, on="vowel", standardise="zscore").table for vectors in (VECTORS, changed)
    ]
    assert tables[0] == tables[1]


def test_every_output_names_the_standardisation(tmp_path):
    plain = score_embeddings(VECTORS, LABELS, on="vowel")
    scores = score_embeddings(VECTORS, LABELS, on="vowel", standardise="zscore")
    assert "standardise='zscore'" in repr(scores)
    assert "standardised: zscore" in scores._repr_html_()
    assert json.loads(format_scores_json(scores))["standardise"] == "zscore"
    assert json.loads(format_scores_json(plain))["standardise"] is None
    header, *rows = format_scores_csv(scores).splitlines()
    assert header.endswith(",standardise")
    assert all(row.endswith(",zscore") for row in rows)
    write_scores(scores, tmp_path / "scores.parquet")
    assert set(pq.read_table(tmp_path / "scores.parquet")["standardise"].to_pylist()) == {"zscore"}
    assert "standardise" not in format_scores_csv(plain)


def test_an_unknown_standardisation():
    with pytest.raises(TaskError, match=r"^`standardise`: found 'z', expected 'center' or 'zscore'$"):
        score_embeddings(VECTORS, LABELS, on="vowel", standardise="z")


def test_channels_that_outweigh_the_others():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 400)).astype(np.float32)
    assert measure_dominance(vectors) is None
    vectors[:, [7, 30]] += 100
    dominance = measure_dominance(vectors)
    assert (dominance.channels, dominance.dim) == (2, 400)  # one holds just less than half
    assert str(dominance).startswith("2 of 400 channels hold 9")
    vectors[:, 7] *= 3
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    dominance = measure_dominance(vectors)
    assert dominance.channels == 1
    assert dominance.share == pytest.approx(np.square(unit[:, 7]).mean(), rel=1e-5)
    assert measure_dominance(1e3 * vectors) == pytest.approx(dominance, rel=1e-5)
    vectors[0] = 0  # has no direction, and counts for nothing
    assert measure_dominance(vectors) == pytest.approx(measure_dominance(vectors[1:]), rel=1e-9)
    assert measure_dominance(standardise_vectors(vectors, "zscore")) is None
