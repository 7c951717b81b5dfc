import os
import shutil
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from noise_recordings import RATE_HZ, read_content, write_noise

from abxfast.embedding import embed, pipeline
from abxfast.store import StoreWriter, open_store

CHILD = """
import sys, time
from pathlib import Path
from abxfast.embedding import embed
from abxfast.encoders import Encoder
from abxfast.store import writer
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
    embed(Path(sys.argv[1]), Path(sys.argv[2]), snippets=[0.5, 1], threads=2)
"""


def start_child(folder, root):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_second_run_does_nothing(folder, tmp_path, encoded):
    embed(folder, tmp_path / "s", snippets=[1])
    before, parts = read_content(tmp_path / "s"), sorted((tmp_path / "s").rglob("*"))
    encoded.clear()
    report = embed(folder, tmp_path / "s", snippets=[1])
    assert (report.snippets, report.skipped, report.audio_s, encoded) == (0, 3, 0.0, [])
    assert sorted((tmp_path / "s").rglob("*")) == parts
    assert read_content(tmp_path / "s") == before
    assert len(list((tmp_path / "s" / "parts").iterdir())) == 1


def test_new_lengths_and_new_recordings_only_are_added(folder, tmp_path, encoded):
    embed(folder, tmp_path / "s", snippets=[1])
    encoded.clear()
    report = embed(folder, tmp_path / "s", snippets=[1, 2])
    assert encoded == [2 * RATE_HZ] * (2 + 3 + 3) == [2 * RATE_HZ] * report.snippets
    write_noise(folder / "deep" / "new.wav", 2.2)
    encoded.clear()
    report = embed(folder, tmp_path / "s", snippets=[1, 2])
    assert sorted(encoded) == [RATE_HZ, RATE_HZ, 2 * RATE_HZ]
    assert report.skipped == 3
    embed(folder, tmp_path / "fresh", snippets=[2, 1])
    assert read_content(tmp_path / "s") == read_content(tmp_path / "fresh")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_twenty_times_and_resumed_equals_never_killed(tmp_path):
    folder = tmp_path / "audio"
    for n in range(12):
        write_noise(folder / f"r{n:02}.wav", 4.2, seed=n)
    embed(folder, tmp_path / "undisturbed", snippets=[0.5, 1])
    expected = read_content(tmp_path / "undisturbed")
    root = tmp_path / "s"
    rng = np.random.default_rng(20)
    killed, n_resumed = 0, []
    child = start_child(folder, root)
    while killed < 20:
        following = start_child(folder, root)  # imports while the other one works
        child.stdout.read(1)
        child.stdin.write(b"go\n")
        child.stdin.flush()
        # Between the start (two snippets check that the encoder keeps the contract) and a quarter of the work.
        child.stdout.read(rng.integers(0, 40))
        try:
            child.wait(timeout=rng.uniform(0.0, 0.03))
        except subprocess.TimeoutExpired:
            child.kill()
            killed += 1
        child.communicate()
        if child.returncode == 0:  # it had finished: start again
            assert read_content(root) == expected
            shutil.rmtree(root)
        elif (root / "store.json").exists():
            n_resumed.append(sum(len(state.done) for state in open_store(root).entries.values()))
        child = following
    child.communicate(b"go\n", timeout=60)
    assert child.returncode == 0
    assert len(set(n_resumed)) > 8  # or the kills came before or after the work
    assert read_content(root) == expected
    assert len(list((root / "parts").glob("*.parquet"))) == 1
    # What a killed process was writing, and its log, are removed a while later.
    for path in (*(root / "parts").glob(".tmp-*"), *(root / "running").glob("*.log")):
        os.utime(path, (1, 1))
    embed(folder, root, snippets=[0.5, 1])
    assert sorted(path.name for path in root.iterdir()) == [".lock", "manifests", "parts", "store.json"]
    assert len(list((root / "parts").iterdir())) == 1


@pytest.mark.parametrize("compacts", [True, False])
def test_an_interrupt_keeps_what_was_collected(folder, tmp_path, encoded, monkeypatch, compacts):
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
        monkeypatch.setattr(pipeline, "compact", lambda *_, **__: None)
    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        embed(folder, tmp_path / "s", snippets=[1])
    assert threading.active_count() == threads
    monkeypatch.setattr(StoreWriter, "add", add)
    encoded.clear()
    embed(folder, tmp_path / "s", snippets=[1])
    assert len(encoded) == 5 + 6 + 7 - 7
    assert read_content(tmp_path / "s") == read_content(tmp_path / "undisturbed")


def test_an_interrupt_while_a_changed_file_is_done_again_keeps_both(folder, tmp_path, encoded, monkeypatch):
    embed(folder, tmp_path / "s", snippets=[1])
    before = read_content(tmp_path / "s")[0]
    write_noise(folder / "r2.wav", 7.3, seed=9)
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
    assert read_content(tmp_path / "s")[0] == before
    encoded.clear()
    embed(folder, tmp_path / "s", snippets=[1])
    assert len(encoded) == 7 - 3
    embed(folder, tmp_path / "fresh", snippets=[1])
    assert read_content(tmp_path / "s") == read_content(tmp_path / "fresh")


def test_two_runs_at_once_share_the_work_and_agree(tmp_path):
    folder, root = tmp_path / "audio", tmp_path / "s"
    for n in range(12):
        write_noise(folder / f"r{n:02}.wav", 4.2, seed=n)
    embed(folder, tmp_path / "undisturbed", snippets=[0.5, 1])
    children = [start_child(folder, root) for _ in range(2)]
    for child in children:
        child.stdout.read(1)
    for child in children:
        child.stdin.write(b"go\n")
        child.stdin.flush()
    for child in children:
        _, stderr = child.communicate(timeout=60)
        assert child.returncode == 0, stderr.decode()
    embed(folder, root, snippets=[0.5, 1])
    assert read_content(root) == read_content(tmp_path / "undisturbed")
