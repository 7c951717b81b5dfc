import os
import shutil
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from noise_recordings import RATE_HZ, complete_items, read_content, write_noise

from abxfast.embedding import Progress, contents, decoder, embed, pipeline
from abxfast.store import open_store


def test_a_changed_file_is_embedded_again_a_touched_one_is_not(folder, tmp_path, encoded, monkeypatch):
    embed(folder, tmp_path / "s", snippets=[1])
    before = read_content(tmp_path / "s")
    encoded.clear()
    (folder / "r1.wav").touch()
    os.utime(folder / "r2.wav", (1, 1))
    embed(folder, tmp_path / "s", snippets=[1])
    assert encoded == []
    hashed = []
    hash_file = contents.hash_file
    monkeypatch.setattr(contents, "hash_file", lambda path: hashed.append(path.name) or hash_file(path))
    embed(folder, tmp_path / "s", snippets=[1])
    assert hashed == ["r1.wav"]  # just touched: it may be changed in the same tick; the other's new time is known
    assert read_content(tmp_path / "s") == before
    write_noise(folder / "r1.wav", 6.3, seed=9)  # the same size
    embed(folder, tmp_path / "s", snippets=[1])
    assert encoded == [RATE_HZ] * 6
    embed(folder, tmp_path / "fresh", snippets=[1])
    assert read_content(tmp_path / "s") == read_content(tmp_path / "fresh")


def test_a_file_that_is_changed_and_changed_back(folder, tmp_path, monkeypatch):
    embed(folder, tmp_path / "s", snippets=[1])
    before = read_content(tmp_path / "s")
    shutil.copy2(folder / "r0.wav", tmp_path / "kept.wav")
    write_noise(folder / "r0.wav", 7, seed=9)
    monkeypatch.setattr(pipeline, "compact", lambda *_, **__: None)  # killed before it compacted
    embed(folder, tmp_path / "s", snippets=[1])
    monkeypatch.undo()
    shutil.copy2(tmp_path / "kept.wav", folder / "r0.wav")
    embed(folder, tmp_path / "s", snippets=[1])
    assert read_content(tmp_path / "s") == before


def test_another_file_of_the_same_name_size_and_time_is_recognised(tmp_path):
    for name in "ab":
        path = write_noise(tmp_path / name / "1.wav", 3, seed=ord(name))
        os.utime(path, (10**9, 10**9))  # as a package's files
    embed(tmp_path / "a", tmp_path / "s", snippets=[1])
    embed(tmp_path / "b", tmp_path / "s", snippets=[1])
    embed(tmp_path / "b", tmp_path / "fresh", snippets=[1])
    assert read_content(tmp_path / "s") == read_content(tmp_path / "fresh")


def test_a_change_within_the_second_of_the_run_is_noticed(folder, tmp_path):
    embed(folder, tmp_path / "s", snippets=[1])
    path = folder / "r0.wav"
    path.touch()
    embed(folder, tmp_path / "s", snippets=[1])
    stat = path.stat()
    write_noise(path, 5.3, seed=9)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # the clock of the drive has not ticked
    embed(folder, tmp_path / "s", snippets=[1])
    write_noise(tmp_path / "fresh" / "r0.wav", 5.3, seed=9)
    embed([tmp_path / "fresh" / "r0.wav"], tmp_path / "s0", snippets=[1])
    one, other = (open_store(tmp_path / s).read(1.0, "mfcc.max", items={"r0.wav"}) for s in ("s", "s0"))
    np.testing.assert_array_equal(one.embeddings, other.embeddings)


def test_a_file_that_changes_while_it_is_read_fails(folder, tmp_path, monkeypatch):
    stream = decoder.stream

    def grows(path, *args, **options):
        yield from stream(path, *args, **options)
        if path.name == "r1.wav":
            os.utime(path, (1, 1))

    monkeypatch.setattr(decoder, "stream", grows)
    report = embed(folder, tmp_path / "s", snippets=[1])
    assert [name for name, _ in report.failures] == ["r1.wav"]
    assert "changed while it was read" in report.failures[0][1]
    assert complete_items(tmp_path / "s", 1.0) == ["r0.wav", "r2.wav"]


def test_a_stretch_that_is_given_another_name_or_end_is_another_item(tmp_path, encoded):
    write_noise(tmp_path / "x.wav", 20)
    manifest = tmp_path / "m.csv"
    manifest.write_text("path,item,start_s,end_s\nx.wav,one,1,2\nx.wav,two,3,4\n")
    embed(manifest, tmp_path / "s", snippets=["whole"])
    encoded.clear()
    manifest.write_text("path,item,start_s,end_s\nx.wav,one,1,2.5\nx.wav,three,3,4\n")
    embed(manifest, tmp_path / "s", snippets=["whole"])
    assert encoded == [24_000]  # the vectors of the other one are in the store
    snippets = open_store(tmp_path / "s").read(None, "mfcc.max")
    # A store takes several manifests: what one leaves out stays.
    assert snippets.items == ["one", "three", "two"]
    assert snippets.end_s.tolist() == [2.5, 4.0, 4.0]


def test_a_bug_in_the_decoding_thread_is_not_swallowed(folder, tmp_path, monkeypatch):
    stream = decoder.stream

    def buggy(path, *args, **options):
        if path.name == "r1.wav":
            raise ZeroDivisionError
        yield from stream(path, *args, **options)

    monkeypatch.setattr(decoder, "stream", buggy)
    threads = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        embed(folder, tmp_path / "s", snippets=[1])
    assert threading.active_count() == threads
    monkeypatch.undo()
    embed(folder, tmp_path / "s", snippets=[1])
    assert complete_items(tmp_path / "s", 1.0) == ["r0.wav", "r1.wav", "r2.wav"]


def test_moving_recordings_and_store_together_changes_nothing(folder, tmp_path, encoded, monkeypatch):
    embed(folder, tmp_path / "s", snippets=[1])
    before = read_content(tmp_path / "s")
    encoded.clear()
    Path(tmp_path / "moved").mkdir()
    for name in ("audio", "s"):
        shutil.move(tmp_path / name, tmp_path / "moved" / name)
    monkeypatch.setattr(contents, "hash_file", None)  # not even read
    report = embed(tmp_path / "moved" / "audio", tmp_path / "moved" / "s", snippets=[1])
    assert (report.skipped, report.failures, encoded) == (3, [], [])
    assert read_content(tmp_path / "moved" / "s") == before
    assert {replace(state.entry, path="") for state in open_store(tmp_path / "moved" / "s").entries.values()}


def test_progress_is_reported(folder, tmp_path):
    reports = []
    embed(folder, tmp_path / "s", snippets=[1], progress=reports.append)
    assert all(isinstance(each, Progress) for each in reports)
    assert all(one.done_s <= other.done_s for one, other in pairwise(reports))
    last = reports[-1]
    assert last.done_s == pytest.approx(last.total_s) == pytest.approx(3 * 6.3)
    assert last.decoded_s == pytest.approx(3 * 6.3)
    reports.clear()
    embed(folder, tmp_path / "s", snippets=[1], progress=reports.append)
    assert (reports[-1].done_s, reports[-1].decoded_s) == (last.done_s, 0.0)
