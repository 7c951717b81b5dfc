import csv
import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.dataset
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st

from abxfast.audio import Snippet
from abxfast.audio import decoding as audio
from abxfast.embedding import Progress, embed
from abxfast.embedding import decoder as decoding
from abxfast.embedding import pipeline as embedding
from abxfast.embedding.background import in_background
from abxfast.embedding.decoder import Decoder, Piece
from abxfast.embedding.pipeline import Batches
from abxfast.encoders import Encoder, open_encoder
from abxfast.errors import AbxfastError, EncoderError, StoreError
from abxfast.store import StoreWriter, open_store, writer

RATE_HZ = 16_000
VARIANTS = ("mfcc.max", "mfcc.mean", "mfcc.std")


def record(path, seconds, *, seed=0, rate_hz=RATE_HZ, channels=1, age_s=60):
    """Write noise; a minute old, so that its time of change can be trusted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = 0.1 * np.random.default_rng(seed).standard_normal((round(seconds * rate_hz), channels))
    soundfile.write(path, wave, rate_hz, subtype="PCM_16")
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - round(age_s * 1e9)))
    return path


@pytest.fixture
def folder(tmp_path):
    for n in range(3):
        record(tmp_path / "audio" / f"r{n}.wav", 5.3 + n, seed=n)
    return tmp_path / "audio"


@pytest.fixture
def encoded(monkeypatch):
    """Lengths of the waveforms that were sent through an encoder."""
    lengths = []
    encode = Encoder.encode

    def counted(self, waves):
        lengths.extend([waves.shape[1]] * len(waves))
        return encode(self, waves)

    monkeypatch.setattr(Encoder, "encode", counted)
    return lengths


def content(root):
    """All that a store says of its snippets, as plain data: equal where stores are equal, bit for bit."""
    store = open_store(root)
    found = {}
    for length_s in store.lengths():
        for variant in store.variants:
            snippets = store.read(length_s, variant)
            found[length_s, variant] = (
                snippets.items,
                snippets.recordings,
                snippets.start_s.tobytes(),
                snippets.end_s.tobytes(),
                snippets.embeddings.tobytes(),
            )
    table = pyarrow.dataset.dataset(root / "parts", format="parquet").to_table(columns=["item", "start_s", "snippet_s"])
    return found, sorted((row["item"], row["snippet_s"] or 0, row["start_s"]) for row in table.to_pylist())


def items(root, length_s):
    return [state.entry.item for state in open_store(root).complete(length_s)]


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_vectors_are_those_of_a_simple_loop(tmp_path, rate_hz):
    paths = [
        record(tmp_path / "audio" / "x.wav", 9.4, seed=1, rate_hz=rate_hz, channels=2),
        record(tmp_path / "audio" / "y.flac", 31, seed=2, rate_hz=rate_hz, channels=2),
    ]
    report = embed(tmp_path / "audio", tmp_path / "s", snippets=[1, 2.5], hop_s=0.75, channel="1", remainder="keep")
    encoder = open_encoder("mfcc")
    assert (report.encoder, report.recordings, report.skipped, report.failures) == ("mfcc", 2, 0, [])
    assert report.audio_s == pytest.approx(40.4, abs=1e-3)
    total = 0
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
        total += len(expected)
        for i, variant in enumerate(VARIANTS):
            found = open_store(tmp_path / "s").read(length_s, variant)
            assert found.items == found.recordings == [name for name, *_ in expected]
            assert found.start_s.tolist() == [start / RATE_HZ for _, start, *_ in expected]
            assert found.end_s.tolist() == [stop / RATE_HZ for _, _, stop, _ in expected]
            np.testing.assert_allclose(found.embeddings, [v[i] for *_, v in expected], rtol=1e-5, atol=1e-4)
    assert report.snippets == total


def test_rows_of_a_manifest_are_whole_snippets(tmp_path):
    record(tmp_path / "long.wav", 20)
    (tmp_path / "m.csv").write_text("path,start_s,end_s,tone\nlong.wav,1.5,2.25,high\nlong.wav,0.5,1.75,low\n")
    embed(tmp_path / "m.csv", tmp_path / "s", snippets=["whole"])
    store = open_store(tmp_path / "s")
    wave = soundfile.read(tmp_path / "long.wav", dtype="float32")[0]
    found = store.read(None, "mfcc.max")
    assert list(zip(found.start_s, found.end_s, strict=True)) == [(0.5, 1.75), (1.5, 2.25)]
    for n, (start, stop) in enumerate([(8_000, 28_000), (24_000, 36_000)]):
        np.testing.assert_array_equal(found.embeddings[n], open_encoder("mfcc").encode(wave[None, start:stop])[0, 0])
    assert [store.rows()[item]["tone"] for item in found.items] == ["low", "high"]


def test_a_second_run_does_nothing(folder, tmp_path, encoded):
    embed(folder, tmp_path / "s", snippets=[1])
    before, parts = content(tmp_path / "s"), sorted((tmp_path / "s").rglob("*"))
    encoded.clear()
    report = embed(folder, tmp_path / "s", snippets=[1])
    assert (report.snippets, report.skipped, report.audio_s, encoded) == (0, 3, 0.0, [])
    assert sorted((tmp_path / "s").rglob("*")) == parts
    assert content(tmp_path / "s") == before
    assert len(list((tmp_path / "s" / "parts").iterdir())) == 1


def test_new_lengths_and_new_recordings_only_are_added(folder, tmp_path, encoded):
    embed(folder, tmp_path / "s", snippets=[1])
    encoded.clear()
    report = embed(folder, tmp_path / "s", snippets=[1, 2])
    assert encoded == [2 * RATE_HZ] * (2 + 3 + 3) == [2 * RATE_HZ] * report.snippets
    record(folder / "deep" / "new.wav", 2.2)
    encoded.clear()
    report = embed(folder, tmp_path / "s", snippets=[1, 2])
    assert sorted(encoded) == [RATE_HZ, RATE_HZ, 2 * RATE_HZ]
    assert report.skipped == 3
    embed(folder, tmp_path / "fresh", snippets=[2, 1])
    assert content(tmp_path / "s") == content(tmp_path / "fresh")


def test_a_changed_file_is_done_again_a_touched_one_is_not(folder, tmp_path, encoded, monkeypatch):
    embed(folder, tmp_path / "s", snippets=[1])
    before = content(tmp_path / "s")
    encoded.clear()
    (folder / "r1.wav").touch()
    os.utime(folder / "r2.wav", (1, 1))
    embed(folder, tmp_path / "s", snippets=[1])
    assert encoded == []
    hashed = []
    sha256 = decoding._sha256
    monkeypatch.setattr(decoding, "_sha256", lambda path: hashed.append(path.name) or sha256(path))
    embed(folder, tmp_path / "s", snippets=[1])
    assert hashed == ["r1.wav"]  # just touched: it may be changed in the same tick; the other's new time is known
    assert content(tmp_path / "s") == before
    record(folder / "r1.wav", 6.3, seed=9)  # the same size
    embed(folder, tmp_path / "s", snippets=[1])
    assert encoded == [RATE_HZ] * 6
    embed(folder, tmp_path / "fresh", snippets=[1])
    assert content(tmp_path / "s") == content(tmp_path / "fresh")


def test_a_file_that_is_changed_and_changed_back(folder, tmp_path, monkeypatch):
    embed(folder, tmp_path / "s", snippets=[1])
    before = content(tmp_path / "s")
    shutil.copy2(folder / "r0.wav", tmp_path / "kept.wav")
    record(folder / "r0.wav", 7, seed=9)
    monkeypatch.setattr(embedding, "compact", lambda *_, **__: None)  # killed before it tidied up
    embed(folder, tmp_path / "s", snippets=[1])
    monkeypatch.undo()
    shutil.copy2(tmp_path / "kept.wav", folder / "r0.wav")
    embed(folder, tmp_path / "s", snippets=[1])
    assert content(tmp_path / "s") == before


def test_another_file_of_the_same_name_size_and_time_is_told_apart(tmp_path):
    for name in "ab":
        path = record(tmp_path / name / "1.wav", 3, seed=ord(name))
        os.utime(path, (10**9, 10**9))  # as a package's files
    embed(tmp_path / "a", tmp_path / "s", snippets=[1])
    embed(tmp_path / "b", tmp_path / "s", snippets=[1])
    embed(tmp_path / "b", tmp_path / "fresh", snippets=[1])
    assert content(tmp_path / "s") == content(tmp_path / "fresh")


def test_a_change_in_the_second_of_the_run_is_seen(folder, tmp_path):
    embed(folder, tmp_path / "s", snippets=[1])
    path = folder / "r0.wav"
    path.touch()
    embed(folder, tmp_path / "s", snippets=[1])
    stat = path.stat()
    record(path, 5.3, seed=9)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # the clock of the drive has not ticked
    embed(folder, tmp_path / "s", snippets=[1])
    record(tmp_path / "fresh" / "r0.wav", 5.3, seed=9)
    embed([tmp_path / "fresh" / "r0.wav"], tmp_path / "s0", snippets=[1])
    one, other = (open_store(tmp_path / s).read(1.0, "mfcc.max", items={"r0.wav"}) for s in ("s", "s0"))
    np.testing.assert_array_equal(one.embeddings, other.embeddings)


def test_a_file_that_changes_while_it_is_read_fails(folder, tmp_path, monkeypatch):
    stream = audio.stream

    def grows(path, *args, **options):
        yield from stream(path, *args, **options)
        if path.name == "r1.wav":
            os.utime(path, (1, 1))

    monkeypatch.setattr(audio, "stream", grows)
    report = embed(folder, tmp_path / "s", snippets=[1])
    assert [name for name, _ in report.failures] == ["r1.wav"]
    assert "changed while it was read" in report.failures[0][1]
    assert items(tmp_path / "s", 1.0) == ["r0.wav", "r2.wav"]


def test_a_renamed_or_moved_stretch_is_another_item(tmp_path, encoded):
    record(tmp_path / "x.wav", 20)
    manifest = tmp_path / "m.csv"
    manifest.write_text("path,item,start_s,end_s\nx.wav,one,1,2\nx.wav,two,3,4\n")
    embed(manifest, tmp_path / "s", snippets=["whole"])
    encoded.clear()
    manifest.write_text("path,item,start_s,end_s\nx.wav,one,1,2.5\nx.wav,three,3,4\n")
    embed(manifest, tmp_path / "s", snippets=["whole"])
    assert sorted(encoded) == [RATE_HZ, 24_000]
    found = open_store(tmp_path / "s").read(None, "mfcc.max")
    assert found.items == ["one", "three", "two"]  # what a list leaves out stays: a store takes several lists
    assert found.end_s.tolist() == [2.5, 4.0, 4.0]


def test_one_corrupt_file_is_named_and_the_others_are_done(folder, tmp_path, caplog):
    (folder / "not-audio.wav").write_bytes(b"these are notes")
    good = (folder / "r1.wav").read_bytes()
    (folder / "cut.wav").write_bytes(good[: len(good) // 2])
    (folder / "empty.wav").touch()
    soundfile.write(folder / "silent.wav", np.zeros(5 * RATE_HZ), RATE_HZ)
    noisy = np.random.default_rng(0).standard_normal(60 * RATE_HZ).astype(np.float32)
    noisy[-1] = np.nan  # found when almost all of its snippets are stored
    soundfile.write(folder / "nan.wav", noisy, RATE_HZ, subtype="FLOAT")
    record(folder / "short.wav", 0.5)
    bad = ["cut.wav", "empty.wav", "nan.wav", "not-audio.wav", "short.wav", "silent.wav"]
    report = embed(folder, tmp_path / "s", snippets=[1])
    assert sorted(name for name, _ in report.failures) == bad
    for name, reason in report.failures:
        assert name in reason
        assert "\n" not in reason
        assert reason in caplog.messages
    assert report.skipped == 0
    rows = {row[0] for row in content(tmp_path / "s")[1]}
    assert rows == set(items(tmp_path / "s", 1.0)) == {"r0.wav", "r1.wav", "r2.wav"}
    assert len(open_store(tmp_path / "s").entries) == 3
    record(folder / "cut.wav", 2, seed=5)
    report = embed(folder, tmp_path / "s", snippets=[1])
    assert sorted(name for name, _ in report.failures) == [name for name in bad if name != "cut.wav"]
    assert (report.snippets, report.skipped) == (2, 3)


def test_what_is_refused_is_not_counted_as_there(tmp_path):
    record(tmp_path / "long.wav", 61)
    report = embed([tmp_path / "long.wav"], tmp_path / "s", snippets=["whole"])
    assert report.skipped == 0
    assert "61.0 s long" in report.failures[0][1]


def test_a_length_that_one_recording_is_too_short_for(folder, tmp_path):
    report = embed(folder, tmp_path / "s", snippets=[1, 6])
    assert [name for name, _ in report.failures] == ["r0.wav"]
    assert items(tmp_path / "s", 1.0) == ["r0.wav", "r1.wav", "r2.wav"]
    assert items(tmp_path / "s", 6.0) == ["r1.wav", "r2.wav"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hop_s": 0.5}, "holds snippets cut as 1 s, asked for 1 s every 0.5 s"),
        ({"remainder": "keep"}, "asked for 1 s, remainder kept"),
        ({"channel": "0"}, "holds --channel mix, asked for 0"),
        ({"threads": 0}, "--threads: found 0"),
        ({"snippets": []}, "--snippet: none given"),
        ({"encoder": "nobody"}, "no encoder of that name"),
        ({"provider": "abacus"}, "--provider"),
    ],
)
def test_options_that_do_not_fit_stop_it_before_it_starts(folder, tmp_path, encoded, options, said):
    embed(folder, tmp_path / "s", snippets=[1])
    before = content(tmp_path / "s")
    encoded.clear()
    with pytest.raises(AbxfastError, match=said):
        embed(folder, tmp_path / "s", **{"snippets": [1], **options})
    assert encoded == []
    assert content(tmp_path / "s") == before


def test_a_list_that_cannot_be_used_makes_no_store(tmp_path):
    (tmp_path / "m.csv").write_text("path\nnone.wav\n")
    with pytest.raises(AbxfastError):
        embed(tmp_path / "m.csv", tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_the_number_of_threads_does_not_matter(folder, tmp_path, monkeypatch):
    embed(folder, tmp_path / "one", snippets=[1, 0.3], threads=1)
    monkeypatch.setattr(writer, "FLUSH_S", 0.0)
    embed(folder, tmp_path / "three", snippets=[1, 0.3], threads=3)
    assert content(tmp_path / "one") == content(tmp_path / "three")


def test_progress_is_told(folder, tmp_path):
    told = []
    embed(folder, tmp_path / "s", snippets=[1], progress=told.append)
    assert all(isinstance(each, Progress) for each in told)
    assert all(one.done_s <= other.done_s for one, other in pairwise(told))
    last = told[-1]
    assert last.done_s == pytest.approx(last.total_s) == pytest.approx(3 * 6.3)
    assert last.decoded_s == pytest.approx(3 * 6.3)
    told.clear()
    embed(folder, tmp_path / "s", snippets=[1], progress=told.append)
    assert (told[-1].done_s, told[-1].decoded_s) == (last.done_s, 0.0)


CHILD = """
import sys, time
from pathlib import Path
from abxfast.embedding import pipeline as embedding
from abxfast.store import writer
from abxfast.encoders import session as encoder
from abxfast.encoders import Encoder
import pyarrow.parquet, soundfile, soxr, onnxruntime
writer.FLUSH_S = 0.02
encode = Encoder.encode
def slow(self, waves):
    time.sleep(0.005)
    vectors = encode(self, waves)
    print(end=".", flush=True)
    return vectors
Encoder.encode = slow
print(end="!", flush=True)
if sys.stdin.readline():
    embedding.embed(Path(sys.argv[1]), Path(sys.argv[2]), snippets=[0.5, 1], threads=2)
"""


def start_child(folder, root):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_twenty_times_and_resumed_it_is_as_if_never_killed(tmp_path):
    folder = tmp_path / "audio"
    for n in range(12):
        record(folder / f"r{n:02}.wav", 4.2, seed=n)
    embed(folder, tmp_path / "undisturbed", snippets=[0.5, 1])
    expected = content(tmp_path / "undisturbed")
    root = tmp_path / "s"
    rng = np.random.default_rng(20)
    killed, seen = 0, []
    child = start_child(folder, root)
    while killed < 20:
        following = start_child(folder, root)  # imports while the other one works
        child.stdout.read(1)
        child.stdin.write(b"go\n")
        child.stdin.flush()
        # Between a start (two snippets show that the encoder keeps the contract) and a fourth of the work.
        child.stdout.read(rng.integers(0, 40))
        try:
            child.wait(timeout=rng.uniform(0.0, 0.03))
        except subprocess.TimeoutExpired:
            child.kill()
            killed += 1
        child.communicate()
        if child.returncode == 0:  # it was done: begin anew
            assert content(root) == expected
            shutil.rmtree(root)
        elif (root / "store.json").exists():
            seen.append(sum(len(state.done) for state in open_store(root).entries.values()))
        child = following
    child.communicate(b"go\n", timeout=60)
    assert child.returncode == 0
    assert len(set(seen)) > 8  # or the kills met nothing at work
    assert content(root) == expected
    assert len(list((root / "parts").glob("*.parquet"))) == 1
    # What a killed process was writing goes an hour later.
    for path in (root / "parts").glob(".aside-*"):
        os.utime(path, (1, 1))
    embed(folder, root, snippets=[0.5, 1])
    assert sorted(path.name for path in root.iterdir()) == [".lock", "manifests", "parts", "store.json"]
    assert len(list((root / "parts").iterdir())) == 1


@pytest.mark.parametrize("compacts", [True, False])
def test_an_interrupt_keeps_what_was_gathered(folder, tmp_path, encoded, monkeypatch, compacts):
    embed(folder, tmp_path / "undisturbed", snippets=[1])
    add = StoreWriter.add
    added = []

    def interrupted(self, *args):
        if len(added) == 7:
            raise KeyboardInterrupt
        added.append(args)
        add(self, *args)

    monkeypatch.setattr(StoreWriter, "add", interrupted)
    if not compacts:
        monkeypatch.setattr(embedding, "compact", lambda *_, **__: None)
    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        embed(folder, tmp_path / "s", snippets=[1])
    assert threading.active_count() == threads
    monkeypatch.setattr(StoreWriter, "add", add)
    encoded.clear()
    embed(folder, tmp_path / "s", snippets=[1])
    assert len(encoded) == 5 + 6 + 7 - 7
    assert content(tmp_path / "s") == content(tmp_path / "undisturbed")


def test_an_interrupt_while_a_changed_file_is_done_again_keeps_both(folder, tmp_path, encoded, monkeypatch):
    embed(folder, tmp_path / "s", snippets=[1])
    before = content(tmp_path / "s")[0]
    record(folder / "r2.wav", 7.3, seed=9)
    add = StoreWriter.add
    added = []

    def interrupted(self, *args):
        if len(added) == 3:
            raise KeyboardInterrupt
        added.append(args)
        add(self, *args)

    monkeypatch.setattr(StoreWriter, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        embed(folder, tmp_path / "s", snippets=[1])
    monkeypatch.setattr(StoreWriter, "add", add)
    assert content(tmp_path / "s")[0] == before
    encoded.clear()
    embed(folder, tmp_path / "s", snippets=[1])
    assert len(encoded) == 7 - 3
    embed(folder, tmp_path / "fresh", snippets=[1])
    assert content(tmp_path / "s") == content(tmp_path / "fresh")


def test_a_full_disk_stops_it_in_one_line(folder, tmp_path, monkeypatch):
    embed(folder, tmp_path / "s", snippets=[1])
    before = content(tmp_path / "s")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left on device"):
        embed(folder, tmp_path / "s", snippets=[2])
    monkeypatch.undo()
    assert content(tmp_path / "s") == before


def test_a_bug_in_the_decoding_thread_is_not_swallowed(folder, tmp_path, monkeypatch):
    stream = audio.stream

    def buggy(path, *args, **options):
        if path.name == "r1.wav":
            raise ZeroDivisionError
        yield from stream(path, *args, **options)

    monkeypatch.setattr(audio, "stream", buggy)
    threads = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        embed(folder, tmp_path / "s", snippets=[1])
    assert threading.active_count() == threads
    monkeypatch.undo()
    embed(folder, tmp_path / "s", snippets=[1])
    assert items(tmp_path / "s", 1.0) == ["r0.wav", "r1.wav", "r2.wav"]


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


def test_a_snippet_that_the_encoder_fails_on_costs_its_recording_only(folder, tmp_path, monkeypatch):
    encode = Encoder.encode
    bad = soundfile.read(folder / "r1.wav", dtype="float32")[0][2 * RATE_HZ]

    def fails(self, waves):
        if bad in waves[:, 0]:
            raise EncoderError("mfcc.onnx: gives NaN")
        return encode(self, waves)

    monkeypatch.setattr(Encoder, "encode", fails)
    report = embed(folder, tmp_path / "s", snippets=[1])
    assert report.failures == [("r1.wav", "r1.wav at 2 s: mfcc.onnx: gives NaN")]
    assert items(tmp_path / "s", 1.0) == ["r0.wav", "r2.wav"]
    assert {row[0] for row in content(tmp_path / "s")[1]} == {"r0.wav", "r2.wav"}
    as_on_gpu(monkeypatch, batch_s=6)
    embed(folder, tmp_path / "gpu", snippets=[1])
    assert items(tmp_path / "gpu", 1.0) == ["r0.wav", "r2.wav"]


def as_on_gpu(monkeypatch, batch_s):
    """Have the encoder take batches, and note how large they are."""
    sizes = []

    def opened(*args):
        encoder = open_encoder(*args)
        encoder.batches = True
        return encoder

    add = Batches.add

    def noted(self, piece):
        batch = add(self, piece)
        sizes.append(self.samples)
        return batch

    monkeypatch.setattr(embedding, "open_encoder", opened)
    monkeypatch.setattr(embedding, "GPU_BATCH_S", batch_s)
    monkeypatch.setattr(Batches, "add", noted)
    return sizes


def test_batches_give_the_same_rows(folder, tmp_path, monkeypatch):
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


@given(st.integers(0, 50), st.lists(st.integers(1, 30), max_size=60))
def test_batches_hold_little_and_lose_nothing(most, lengths):
    batches = Batches(most)
    out = []
    for n, length in enumerate(lengths):
        out.append(batches.add(Piece(None, Snippet(0, n, 0, length, np.zeros(length, np.float32)))))
        assert batches.samples <= 2 * most
    out += batches.rest()
    assert batches.rest() == []
    for batch in filter(None, out):
        sizes = [len(piece.snippet.samples) for piece in batch]
        assert len(set(sizes)) == 1
        assert len(batch) == 1 or sum(sizes) <= most
    assert sorted(piece.snippet.index for batch in out for piece in batch) == list(range(len(lengths)))


def test_decoding_runs_only_a_little_ahead(tmp_path, monkeypatch):
    record(tmp_path / "long.wav", 120)
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
    # In the queue, under way or waiting for a thread, and one in the hand of each side.
    assert max(ahead) <= 2 * 2 + 2 * 2 + 2


def test_a_generator_in_the_background_runs_at_most_so_far_ahead():
    made, full = [], threading.Event()

    def source():
        for n in range(100):
            made.append(n)
            if n == 4:
                full.set()
            yield n

    with in_background(source(), size=3) as messages:
        assert next(messages) == 0
        assert full.wait(10)  # three wait, one is in the hand
        assert made == [0, 1, 2, 3, 4]
        assert list(messages) == list(range(1, 100))


@pytest.mark.parametrize("taken", [0, 1, 50])
def test_a_consumer_that_fails_stops_the_generator(taken):
    closed_on = []

    def source():
        try:
            yield from range(100)
        finally:
            closed_on.append(threading.current_thread().name)

    threads = threading.active_count()
    with pytest.raises(ZeroDivisionError), in_background(source(), size=2) as messages:  # noqa: PT012
        for _ in range(taken):
            next(messages)
        raise ZeroDivisionError
    assert threading.active_count() == threads
    assert closed_on == ["decode"] or (not taken and closed_on == [])  # stopped before it began


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_what_a_generator_raises_comes_after_what_it_gave(error):
    def source():
        yield from range(5)
        raise error

    seen = []
    with pytest.raises(error), in_background(source(), size=2) as messages:  # noqa: PT012
        for message in messages:
            seen.append(message)  # noqa: PERF402  # what came before the error is to be kept
    assert seen == [0, 1, 2, 3, 4]


def test_two_runs_at_once_share_the_work_and_agree(tmp_path):
    folder, root = tmp_path / "audio", tmp_path / "s"
    for n in range(12):
        record(folder / f"r{n:02}.wav", 4.2, seed=n)
    embed(folder, tmp_path / "undisturbed", snippets=[0.5, 1])
    children = [start_child(folder, root) for _ in range(2)]
    for child in children:
        child.stdout.read(1)
    for child in children:
        child.stdin.write(b"go\n")
        child.stdin.flush()
    for child in children:
        _, said = child.communicate(timeout=60)
        assert child.returncode == 0, said.decode()
    embed(folder, root, snippets=[0.5, 1])
    assert content(root) == content(tmp_path / "undisturbed")


def test_thousands_of_tokens_make_one_part(tmp_path):
    rows = []
    for n in range(4):
        record(tmp_path / f"r{n}.wav", 50, seed=n)
        rows += [(f"r{n}.wav", f"{k / 10:.1f}", f"{k / 10 + 0.05 + k / 1e5:.5f}") for k in range(499)]
    with (tmp_path / "m.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "start_s", "end_s"), *rows])
    report = embed(tmp_path / "m.csv", tmp_path / "s", snippets=["whole"])
    assert report.snippets == len(rows) == len(items(tmp_path / "s", None))
    assert len(list((tmp_path / "s" / "parts").iterdir())) == 1


def test_moving_recordings_and_store_together_changes_nothing(folder, tmp_path, encoded, monkeypatch):
    embed(folder, tmp_path / "s", snippets=[1])
    before = content(tmp_path / "s")
    encoded.clear()
    Path(tmp_path / "moved").mkdir()
    for name in ("audio", "s"):
        shutil.move(tmp_path / name, tmp_path / "moved" / name)
    monkeypatch.setattr(decoding, "_sha256", None)  # not even read
    report = embed(tmp_path / "moved" / "audio", tmp_path / "moved" / "s", snippets=[1])
    assert (report.skipped, report.failures, encoded) == (3, [], [])
    assert content(tmp_path / "moved" / "s") == before
    assert {replace(state.entry, path="") for state in open_store(tmp_path / "moved" / "s").entries.values()}


def test_a_long_silence_of_the_decoder_can_be_stopped():
    closed = []

    def endless():
        try:
            while True:
                yield None
        finally:
            closed.append(True)

    with in_background(endless(), size=1):
        pass
    assert closed == [True]
