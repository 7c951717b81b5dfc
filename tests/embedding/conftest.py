import pytest
from noise_recordings import write_noise

from abxfast.encoders import Encoder


@pytest.fixture
def folder(tmp_path):
    for n in range(3):
        write_noise(tmp_path / "audio" / f"r{n}.wav", 5.3 + n, seed=n)
    return tmp_path / "audio"


@pytest.fixture
def encoded(monkeypatch):
    """Lengths in samples of the waveforms that were sent through an encoder."""
    lengths = []
    encode = Encoder.encode

    def counted(self, waves):
        lengths.extend([waves.shape[1]] * len(waves))
        return encode(self, waves)

    monkeypatch.setattr(Encoder, "encode", counted)
    return lengths
