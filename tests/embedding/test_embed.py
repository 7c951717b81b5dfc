import csv
import errno
import os
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import soxr
from noise_recordings import RATE_HZ, VARIANTS, complete_items, read_content, write_noise
from tiny_encoder import INFO, write_encoder

from abxfast.embedding import embed
from abxfast.encoders import open_encoder
from abxfast.errors import AbxfastError, StoreError, TaskError
from abxfast.store import open_store, writer


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_vectors_are_those_of_a_simple_loop(tmp_path, rate_hz):
    paths = [
        write_noise(tmp_path / "audio" / "x.wav", 9.4, seed=1, rate_hz=rate_hz, channels=2),
        write_noise(tmp_path / "audio" / "y.flac", 31, seed=2, rate_hz=rate_hz, channels=2),
    ]
    report = embed(tmp_path / "audio", tmp_path / "s", snippets=[1, 2.5], hop_s=0.75, channel="1", remainder="keep")
    encoder = open_encoder("mfcc")
    assert (report.encoder, report.recordings, report.skipped, report.failures) == ("mfcc", 2, 0, [])
    assert report.audio_s == pytest.approx(40.4, abs=1e-3)
    n_snippets = 0
    for length_s in (1.0, 2.5):
        expected = []
        for path in paths:
            wave = soundfile.read(path, dtype="float32", always_2d=True)[0][:, 1]
            wave = np.ascontiguousarray(wave) if rate_hz == RATE_HZ else soxr.resample(wave, rate_hz, RATE_HZ)
            for start in range(0, len(wave), round(0.75 * RATE_HZ)):
                stop = min(len(wave), start + round(length_s * RATE_HZ))
                if stop - start >= 400:
                    expected.append((path.name, start, stop, encoder.encode(wave[None, start:stop])[0]))
                if stop == len(wave):
                    break
        n_snippets += len(expected)
        for i, variant in enumerate(VARIANTS):
            read = open_store(tmp_path / "s").read(length_s, variant)
            assert read.items == read.recordings == [name for name, *_ in expected]
            assert read.start_s.tolist() == [start / RATE_HZ for _, start, *_ in expected]
            assert read.end_s.tolist() == [stop / RATE_HZ for _, _, stop, _ in expected]
            np.testing.assert_allclose(read.embeddings, [v[i] for *_, v in expected], rtol=1e-5, atol=1e-4)
    assert report.snippets == n_snippets


def test_rows_of_a_manifest_are_whole_snippets(tmp_path):
    write_noise(tmp_path / "long.wav", 20)
    (tmp_path / "m.csv").write_text("path,start_s,end_s,tone\nlong.wav,1.5,2.25,high\nlong.wav,0.5,1.75,low\n")
    embed(tmp_path / "m.csv", tmp_path / "s", snippets=["whole"])
    store = open_store(tmp_path / "s")
    wave = soundfile.read(tmp_path / "long.wav", dtype="float32")[0]
    read = store.read(None, "mfcc.max")
    assert list(zip(read.start_s, read.end_s, strict=True)) == [(0.5, 1.75), (1.5, 2.25)]
    for n, (start, stop) in enumerate([(8_000, 28_000), (24_000, 36_000)]):
        np.testing.assert_array_equal(read.embeddings[n], open_encoder("mfcc").encode(wave[None, start:stop])[0, 0])
    assert [store.manifest_rows()[item]["tone"] for item in read.items] == ["low", "high"]


def test_one_corrupt_file_is_named_and_the_others_are_done(folder, tmp_path, caplog):
    (folder / "not-audio.wav").write_bytes(b"these are notes")
    good = (folder / "r1.wav").read_bytes()
    (folder / "cut.wav").write_bytes(good[: len(good) // 2])
    (folder / "empty.wav").touch()
    soundfile.write(folder / "silent.wav", np.zeros(5 * RATE_HZ), RATE_HZ)
    noisy = np.random.default_rng(0).standard_normal(60 * RATE_HZ).astype(np.float32)
    noisy[-1] = np.nan  # noticed when almost all of its snippets are stored
    soundfile.write(folder / "nan.wav", noisy, RATE_HZ, subtype="FLOAT")
    write_noise(folder / "short.wav", 0.5)
    bad = ["cut.wav", "empty.wav", "nan.wav", "not-audio.wav", "short.wav", "silent.wav"]
    report = embed(folder, tmp_path / "s", snippets=[1])
    assert sorted(name for name, _ in report.failures) == bad
    for name, reason in report.failures:
        assert name in reason
        assert "\n" not in reason
        assert reason in caplog.messages
    assert report.skipped == 0
    rows = {row[0] for row in read_content(tmp_path / "s")[1]}
    assert rows == set(complete_items(tmp_path / "s", 1.0)) == {"r0.wav", "r1.wav", "r2.wav"}
    assert len(open_store(tmp_path / "s").entries) == 3
    write_noise(folder / "cut.wav", 2, seed=5)
    report = embed(folder, tmp_path / "s", snippets=[1])
    assert sorted(name for name, _ in report.failures) == [name for name in bad if name != "cut.wav"]
    assert (report.snippets, report.skipped) == (2, 3)


def test_a_refused_recording_is_not_counted_as_skipped(tmp_path):
    write_noise(tmp_path / "long.wav", 61)
    report = embed([tmp_path / "long.wav"], tmp_path / "s", snippets=["whole"])
    assert report.skipped == 0
    assert "61.0 s long" in report.failures[0][1]


def test_a_length_that_one_recording_is_too_short_for(folder, tmp_path):
    report = embed(folder, tmp_path / "s", snippets=[1, 6])
    assert [name for name, _ in report.failures] == ["r0.wav"]
    assert complete_items(tmp_path / "s", 1.0) == ["r0.wav", "r1.wav", "r2.wav"]
    assert complete_items(tmp_path / "s", 6.0) == ["r1.wav", "r2.wav"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"hop_s": 0.5},
            "cut as 1 s, asked for 1 s every 0.5 s; keep `hop_s` and `remainder`, or choose a new",
        ),
        ({"remainder": "keep"}, "asked for 1 s, remainder kept"),
        ({"channel": "0"}, "holds snippets of `channel='mix'`, asked for 0; choose a new folder for `store`"),
        ({"threads": 0}, "`threads`: found 0, expected 1 or more"),
        ({"snippets": []}, "`snippets`: none given"),
        ({"encoder": "nobody"}, "no encoder of that name"),
        ({"provider": "abacus"}, r"provider.*: found 'abacus'"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_before_the_work_starts(folder, tmp_path, encoded, options, message):
    embed(folder, tmp_path / "s", snippets=[1])
    before = read_content(tmp_path / "s")
    encoded.clear()
    with pytest.raises(AbxfastError, match=message):
        embed(folder, tmp_path / "s", **{"snippets": [1], **options})
    assert encoded == []
    assert read_content(tmp_path / "s") == before


def test_an_unusable_manifest_makes_no_store(tmp_path):
    (tmp_path / "m.csv").write_text("path\nnone.wav\n")
    with pytest.raises(AbxfastError):
        embed(tmp_path / "m.csv", tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_the_number_of_threads_does_not_matter(folder, tmp_path, monkeypatch):
    embed(folder, tmp_path / "one", snippets=[1, 0.3], threads=1)
    monkeypatch.setattr(writer, "FLUSH_S", 0.0)
    embed(folder, tmp_path / "three", snippets=[1, 0.3], threads=3)
    assert read_content(tmp_path / "one") == read_content(tmp_path / "three")


def test_a_full_disk_stops_the_work_with_one_line(folder, tmp_path, monkeypatch):
    embed(folder, tmp_path / "s", snippets=[1])
    before = read_content(tmp_path / "s")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"\(the disk is full, .* MB are left: .*\); what was stored before is safe"):
        embed(folder, tmp_path / "s", snippets=[2])
    monkeypatch.undo()
    assert read_content(tmp_path / "s") == before


def test_thousands_of_tokens_make_one_part(tmp_path):
    rows = []
    for n in range(4):
        write_noise(tmp_path / f"r{n}.wav", 50, seed=n)
        rows += [(f"r{n}.wav", f"{k / 10:.1f}", f"{k / 10 + 0.05 + k / 1e5:.5f}") for k in range(499)]
    with (tmp_path / "m.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "start_s", "end_s"), *rows])
    report = embed(tmp_path / "m.csv", tmp_path / "s", snippets=["whole"])
    assert report.snippets == len(rows) == len(complete_items(tmp_path / "s", None))
    assert len(list((tmp_path / "s" / "parts").iterdir())) == 1


def test_snippets_longer_than_the_encoder_takes_are_refused_before_any_work(folder, tmp_path, encoded):
    encoder = write_encoder(tmp_path / "short.onnx", info=replace(INFO, most_samples=2 * RATE_HZ))
    options = {"encoder": str(encoder)}
    with pytest.raises(TaskError) as caught:
        embed(folder, tmp_path / "s", snippets=[1, 2.5], **options)
    assert str(caught.value) == "`snippets`: found 2.5, but tiny takes at most 2 s; choose shorter snippets"
    assert not (tmp_path / "s").exists()
    assert RATE_HZ not in encoded
    assert embed(folder, tmp_path / "s", snippets=[1, 2], **options).failures == []


def test_a_whole_item_longer_than_the_encoder_takes_is_named(folder, tmp_path):
    encoder = write_encoder(tmp_path / "short.onnx", info=replace(INFO, most_samples=6 * RATE_HZ))
    report = embed(folder, tmp_path / "s", encoder=str(encoder), snippets=["whole"])
    assert [name for name, _ in report.failures] == ["r1.wav", "r2.wav"]
    for (name, reason), length in zip(report.failures, ("6.3", "7.3"), strict=True):
        assert f"{name}: {length} s long, but tiny takes at most 6 s; split it into rows with start_s" in reason
    assert len(open_store(tmp_path / "s").read(None, "max").items) == 1
