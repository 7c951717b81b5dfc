import numpy as np
import pytest
import soundfile
from noise_recordings import RATE_HZ, VARIANTS, complete_items, read_content, write_noise

from abxfast.embedding import embed, encoding, pipeline
from abxfast.embedding.batching import Batcher
from abxfast.embedding.decoder import Decoder
from abxfast.encoders import Encoder, open_encoder
from abxfast.errors import EncoderError
from abxfast.store import open_store


def test_a_bug_in_an_encoding_thread_is_not_swallowed(folder, tmp_path, monkeypatch):
    encode = Encoder.encode

    def buggy(self, waves):
        if waves[0, 0] == first:
            raise ZeroDivisionError
        return encode(self, waves)

    first = soundfile.read(folder / "r1.wav", dtype="float32")[0][0]
    monkeypatch.setattr(Encoder, "encode", buggy)
    with pytest.raises(ZeroDivisionError):
        embed(folder, tmp_path / "s", snippets=[1])


def test_a_snippet_that_the_encoder_fails_on_costs_only_its_recording(folder, tmp_path, monkeypatch):
    encode = Encoder.encode
    bad = soundfile.read(folder / "r1.wav", dtype="float32")[0][2 * RATE_HZ]

    def fails(self, waves):
        if bad in waves[:, 0]:
            raise EncoderError("mfcc.onnx: gives NaN")
        return encode(self, waves)

    monkeypatch.setattr(Encoder, "encode", fails)
    report = embed(folder, tmp_path / "s", snippets=[1])
    assert report.failures == [("r1.wav", "r1.wav at 2 s: mfcc.onnx: gives NaN")]
    assert complete_items(tmp_path / "s", 1.0) == ["r0.wav", "r2.wav"]
    assert {row[0] for row in read_content(tmp_path / "s")[1]} == {"r0.wav", "r2.wav"}
    as_on_gpu(monkeypatch, batch_s=6)
    embed(folder, tmp_path / "gpu", snippets=[1])
    assert complete_items(tmp_path / "gpu", 1.0) == ["r0.wav", "r2.wav"]


def as_on_gpu(monkeypatch, batch_s):
    """Make the encoder take batches; return a list that records the samples held after each snippet."""
    held = []

    def opened(*args, **options):
        encoder = open_encoder(*args, **options)
        encoder.batches = True
        return encoder

    add = Batcher.add

    def noted(self, pending):
        batch = add(self, pending)
        held.append(self.n_samples)
        return batch

    monkeypatch.setattr(pipeline, "open_encoder", opened)
    monkeypatch.setattr(encoding, "GPU_BATCH_S", batch_s)
    monkeypatch.setattr(Batcher, "add", noted)
    return held


def test_batches_yield_the_same_rows(folder, tmp_path, monkeypatch):
    embed(folder, tmp_path / "cpu", snippets=[1, 0.5, 1.5], remainder="keep")
    held = as_on_gpu(monkeypatch, batch_s=4)
    embed(folder, tmp_path / "gpu", snippets=[1, 0.5, 1.5], remainder="keep")
    assert RATE_HZ < max(held) <= 2 * 4 * RATE_HZ
    for length_s in (0.5, 1.0, 1.5):
        for variant in VARIANTS:
            one, other = (open_store(tmp_path / s).read(length_s, variant) for s in ("cpu", "gpu"))
            assert one.items == other.items
            np.testing.assert_array_equal(one.start_s, other.start_s)
            np.testing.assert_array_equal(one.end_s, other.end_s)
            np.testing.assert_allclose(one.embeddings, other.embeddings, rtol=1e-5, atol=1e-4)


def test_decoding_runs_only_a_little_ahead(tmp_path, monkeypatch):
    write_noise(tmp_path / "long.wav", 120)
    sent, encoded, ahead = [], [], []
    messages, encode = Decoder.messages, Encoder.encode

    def counted(self):
        for message in messages(self):
            if message is not None:
                sent.append(message)
            yield message

    def slow(self, waves):
        for _ in range(4):  # slower than decoding
            vectors = encode(self, waves)
        encoded.append(waves)
        ahead.append(len(sent) - len(encoded))
        return vectors

    monkeypatch.setattr(Decoder, "messages", counted)
    monkeypatch.setattr(Encoder, "encode", slow)
    embed([tmp_path / "long.wav"], tmp_path / "s", snippets=[0.5], threads=2)
    assert len(encoded) == 240
    # In the queue, running or waiting for a thread, and one held by each side.
    assert max(ahead) <= 2 * 2 + 2 * 2 + 2
