"""The metadata of an encoder file: written and read back, and each missing or invalid value is named."""

import json

import pytest
from tiny_encoder import INFO, write_encoder

from abxfast.encoders import Encoder, EncoderInfo
from abxfast.errors import EncoderError


def error_of(path, provider="cpu"):
    with pytest.raises(EncoderError) as caught:
        Encoder(path, provider)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("key", INFO.to_metadata())
def test_each_key_is_required(tmp_path, key):
    pairs = INFO.to_metadata()
    del pairs[key]
    path = write_encoder(tmp_path / "incomplete.onnx", metadata=pairs)
    message = error_of(path)
    assert f"no metadata '{key}'" in message
    assert str(path) in message


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("contract", "2", "encoder contract '2', this abxfast reads 1"),
        ("name", "", "expected a word"),
        ("name", "two\nlines", "expected a word"),
        ("variants", "mean, max", "expected a JSON list"),
        ("variants", "[]", "expected a JSON list"),
        ("variants", '"mean"', "expected a JSON list"),
        ("variants", '["mean", "mean"]', "expected a JSON list of distinct names"),
        ("variants", '["mean", 2]', "expected a JSON list of distinct names"),
        ("variants", '["mean", ""]', "expected a JSON list of distinct names"),
        ("default_variant", "std", "default variant 'std' is not one of mean, max"),
        ("sample_rate_hz", "16000.0", "expected an integer from 4000 to 384000"),
        ("sample_rate_hz", "16", "expected an integer from 4000 to 384000"),
        ("least_samples", "-8", "expected an integer from 1"),
        ("least_samples", "0", "expected an integer from 1"),
        ("least_samples", "9" * 5_000, "expected an integer from 1 to 960000"),
        ("most_samples", "7", "expected an integer from 8 to"),
        ("most_samples", "", "expected an integer from 8 to"),
        ("frame_hop_samples", "many", "expected an integer from 1"),
        ("normalisation", " ", "expected a word"),
        ("precision", "", "expected a word"),
        ("tools", "{", "expected a JSON object"),
        ("parity", "[1]", "expected a JSON object"),
    ],
)
def test_invalid_metadata(tmp_path, key, value, expected):
    path = write_encoder(tmp_path / "invalid.onnx", metadata={**INFO.to_metadata(), f"abxfast.{key}": value})
    message = error_of(path)
    assert expected in message
    assert str(path) in message
    assert len(message) < 400


def test_metadata_round_trip():
    info = EncoderInfo(**{**vars(INFO), "parity": {"cos": 0.5, "n": [1, 2]}, "licence": "MIT", "name": "声调"})
    assert EncoderInfo.from_metadata(info.to_metadata(), "x") == info
    limited = EncoderInfo(**{**vars(INFO), "most_samples": 480_000})
    assert EncoderInfo.from_metadata(limited.to_metadata(), "x") == limited
    assert json.loads(info.to_metadata()["abxfast.variants"]) == ["mean", "max"]


def test_the_longest_waveform():
    limited = EncoderInfo(**{**vars(INFO), "most_samples": 480_000})
    assert limited.describe_too_long(30) is None
    assert limited.describe_too_long(30.00001) is None  # the same number of samples
    assert limited.describe_too_long(31) == "tiny takes at most 30 s"
    assert INFO.describe_too_long(1e6) is None
