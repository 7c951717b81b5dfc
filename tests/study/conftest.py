"""What the tests of studies share."""

import itertools

import numpy as np
import pytest
import soundfile

RATE_HZ = 16_000


@pytest.fixture
def manifest(tmp_path):
    """Eight recordings of noise, 2 s each, of two speakers, microphones and syllables."""
    rows = ["path,speaker,microphone,syllable,remark"]
    for n, (speaker, microphone, syllable) in enumerate(itertools.product(("F4", "ŋɑ˧"), ("table", "head"), "ab")):
        soundfile.write(tmp_path / f"{n}.wav", 0.1 * np.random.default_rng(n).standard_normal(RATE_HZ * 2), RATE_HZ)
        rows.append(f"{n}.wav,{speaker},{microphone},{syllable},{'once' if n == 0 else ''}")
    path = tmp_path / "our recordings.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path
