"""Recordings that the store has under another name are recognised by content: renamed, moved, in a manifest, copied."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
from noise_recordings import RATE_HZ, complete_items, read_content, write_noise

from abxfast.embedding import embed
from abxfast.store import open_store, parquet
from abxfast.store import store as store_module


@pytest.fixture
def root(tmp_path):
    return tmp_path / "s"


def rename(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)


def write_manifest(path, rows, header="path,speaker"):
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def labels(root, column="speaker"):
    return {item: row.get(column) for item, row in open_store(root).manifest_rows().items()}


def check_equals_fresh(folder_or_manifest, root, fresh, **options):
    """The store is what a new one would be, bit for bit, in one part, and its rows name the same items."""
    embed(folder_or_manifest, fresh, **options)
    assert read_content(root) == read_content(fresh)
    assert open_store(root).manifest_rows().keys() == open_store(fresh).manifest_rows().keys()
    assert len(list((root / "parts").iterdir())) == 1


def test_a_renamed_and_a_moved_file_are_renamed_in_the_store(folder, root, tmp_path, encoded):
    embed(folder, root, snippets=[1, 2])
    rename(folder / "r0.wav", folder / "tale.wav")
    rename(folder / "r1.wav", folder / "sub" / "r1.wav")
    encoded.clear()
    report = embed(folder, root, snippets=[1])  # the other length is renamed as well
    assert sorted(report.renamed) == [("r0.wav", "tale.wav"), ("r1.wav", "sub/r1.wav")]
    assert (encoded, report.audio_s, report.skipped) == ([], 0.0, 3)
    check_equals_fresh(folder, root, tmp_path / "fresh", snippets=[1, 2])
    report = embed(folder, root, snippets=[1, 2])
    assert (report.renamed, report.skipped) == ([], 3)
    rename(folder / "tale.wav", folder / "r0.wav")  # and back
    rename(folder / "sub" / "r1.wav", folder / "r1.wav")
    encoded.clear()
    embed(folder, root, snippets=[1])
    assert encoded == []
    check_equals_fresh(folder, root, tmp_path / "fresh2", snippets=[1, 2])


def test_a_file_renamed_to_and_fro_and_then_copied_is_two_recordings(folder, root, tmp_path, encoded):
    embed(folder, root, snippets=[1])
    for source, target in (("r0.wav", "x.wav"), ("x.wav", "r0.wav")):
        rename(folder / source, folder / target)
        embed(folder, root, snippets=[1])
    shutil.copy2(folder / "r0.wav", folder / "x.wav")
    encoded.clear()
    for _ in range(3):  # what was once renamed may not come between later
        report = embed(folder, root, snippets=[1])
        (folder / "r0.wav").touch()
        assert report.renamed == encoded == []
    check_equals_fresh(folder, root, tmp_path / "fresh", snippets=[1])


def test_copies_that_are_both_there_stay_two_recordings(folder, root, tmp_path, encoded, caplog):
    embed(folder, root, snippets=[1])
    shutil.copy(folder / "r0.wav", folder / "copy.wav")
    encoded.clear()
    caplog.set_level("INFO")
    report = embed(folder, root, snippets=[1])
    assert (report.renamed, encoded) == ([], [])  # its vectors are in the store
    assert "r0.wav: holds the same bytes as copy.wav: they count as 2 recordings" in caplog.messages
    check_equals_fresh(folder, root, tmp_path / "fresh", snippets=[1])
    (folder / "r0.wav").rename(folder / "other.wav")  # one of the two
    report = embed(folder, root, snippets=[1])
    assert report.renamed == [("r0.wav", "other.wav")]
    check_equals_fresh(folder, root, tmp_path / "fresh2", snippets=[1])


def test_a_copy_elsewhere_is_a_recording_of_its_own(folder, root, tmp_path, encoded):
    embed(folder, root, snippets=[1])
    copy = tmp_path / "elsewhere" / "copy.wav"
    copy.parent.mkdir()
    shutil.copy(folder / "r0.wav", copy)
    encoded.clear()
    assert embed([copy], root, snippets=[1]).renamed == []  # r0.wav is not asked for, but there
    assert complete_items(root, 1.0) == ["copy.wav", "r0.wav", "r1.wav", "r2.wav"]
    assert encoded == []


def test_copies_that_move_together_are_told_apart_by_their_paths(root, tmp_path):
    audio = tmp_path / "audio"
    for name in "ab":
        write_noise(audio / name / "one.wav", 3)
    manifest = write_manifest(tmp_path / "m.csv", ["audio/a/one.wav,A", "audio/b/one.wav,B"])
    embed(manifest, root, snippets=[1])
    for name in "ba":
        rename(audio / name / "one.wav", audio / "new" / name / "one.wav")
    report = embed(audio, root, snippets=[1])
    assert len(report.renamed) == 2
    assert labels(root) == {"new/a/one.wav": "A", "new/b/one.wav": "B"}


def test_two_files_that_swap_names_take_their_vectors_along(folder, root, tmp_path, encoded):
    manifest = write_manifest(folder / "m.csv", [f"r{n}.wav,S{n}" for n in range(3)])
    embed(manifest, root, snippets=[1])
    (folder / "r0.wav").rename(folder / "x")
    (folder / "r1.wav").rename(folder / "r0.wav")
    (folder / "x").rename(folder / "r1.wav")
    encoded.clear()
    embed(folder, root, snippets=[1])
    assert encoded == []
    check_equals_fresh(folder, root, tmp_path / "fresh", snippets=[1])
    assert labels(root) == {"r0.wav": "S1", "r1.wav": "S0", "r2.wav": "S2"}


def test_another_recording_under_an_old_name_is_embedded(folder, root, tmp_path, encoded):
    manifest = write_manifest(folder / "m.csv", [f"r{n}.wav,S{n}" for n in range(3)])
    embed(manifest, root, snippets=[1])
    (folder / "r0.wav").rename(folder / "old.wav")
    write_noise(folder / "r0.wav", 5.3, seed=7)  # of the same size
    encoded.clear()
    report = embed(folder, root, snippets=[1])
    assert encoded == [RATE_HZ] * 5
    assert report.renamed == [("r0.wav", "old.wav")]
    check_equals_fresh(folder, root, tmp_path / "fresh", snippets=[1])
    assert labels(root) == {"old.wav": "S0", "r0.wav": None, "r1.wav": "S1", "r2.wav": "S2"}


def test_a_manifest_takes_over_what_the_folder_was_embedded_as(folder, root, tmp_path, encoded):
    embed(folder, root, snippets=[1])
    encoded.clear()
    rows = ["audio/r0.wav,F1,tale", "audio/r1.wav,F1,", "audio/r2.wav,M1,song"]
    manifest = write_manifest(tmp_path / "list.csv", rows, "path,speaker,item")
    report = embed(manifest, root, snippets=[1])
    assert (encoded, report.skipped) == ([], 3)
    assert report.renamed == [("r0.wav", "tale"), ("r1.wav", "audio/r1.wav"), ("r2.wav", "song")]
    check_equals_fresh(manifest, root, tmp_path / "fresh", snippets=[1])
    assert labels(root) == {"tale": "F1", "audio/r1.wav": "F1", "song": "M1"}
    manifest.write_text(manifest.read_text().replace("M1", "M2").replace("song", "hymn"))  # edited in a spreadsheet
    encoded.clear()
    report = embed(manifest, root, snippets=[1])
    assert (encoded, report.renamed) == ([], [("song", "hymn")])
    assert labels(root) == {"tale": "F1", "audio/r1.wav": "F1", "hymn": "M2"}


def test_a_folder_keeps_names_and_labels_that_a_manifest_gave(folder, root, tmp_path, encoded, caplog):
    rows = ["audio/r0.wav,F1,tale", "audio/r1.wav,F2,", "audio/r2.wav,M1,song"]
    embed(write_manifest(tmp_path / "list.csv", rows, "path,speaker,item"), root, snippets=[1])
    write_noise(folder / "new.wav", 2, seed=9)
    encoded.clear()
    caplog.set_level("INFO")
    report = embed(folder, root, snippets=[1])
    assert (encoded, report.renamed) == ([RATE_HZ] * 2, [])
    assert any("3 of the files under names that it keeps" in message for message in caplog.messages)
    assert labels(root) == {"tale": "F1", "audio/r1.wav": "F2", "song": "M1", "new.wav": None}
    assert complete_items(root, 1.0) == sorted(labels(root))
    # Moved, a chosen name is kept, one that was made from the path follows it.
    rename(folder / "r0.wav", folder / "deep" / "r0.wav")
    rename(folder / "r1.wav", folder / "deep" / "r1.wav")
    report = embed(folder, root, snippets=[1])
    assert report.renamed == [("audio/r1.wav", "deep/r1.wav")]
    assert labels(root) == {"tale": "F1", "deep/r1.wav": "F2", "song": "M1", "new.wav": None}
    assert len(encoded) == 2


def test_a_folder_above_does_not_add_its_recordings_again(folder, root, tmp_path, encoded):
    embed(folder, root, snippets=[1])
    encoded.clear()
    embed(tmp_path, root, snippets=[1])
    assert (encoded, complete_items(root, 1.0)) == ([], ["r0.wav", "r1.wav", "r2.wav"])


def test_names_passed_in_memory_are_those_of_the_store_afterwards(folder, root, tmp_path):
    from abxfast.manifest import load_manifest

    rows = ["audio/r0.wav,F1,tale", "audio/r1.wav,F2,", "audio/r2.wav,M1,song"]
    embed(write_manifest(tmp_path / "list.csv", rows, "path,speaker,item"), root, snippets=[1])
    manifest = load_manifest(folder)  # as a study does, which looks its items up by name
    embed(manifest, root, snippets=[1], items={"r0.wav"})
    assert complete_items(root, 1.0) == ["audio/r1.wav", "r0.wav", "song"]
    embed(manifest, root, snippets=[1])
    assert labels(root) == {"r0.wav": "F1", "r1.wav": "F2", "r2.wav": "M1"}


@pytest.mark.usefixtures("folder")
def test_two_names_of_one_stretch_in_one_manifest_stay_two(root, tmp_path, encoded):
    header = "path,item,start_s,end_s"
    manifest = write_manifest(
        tmp_path / "m.csv", ["audio/r0.wav,a,1,2", "audio/r0.wav,b,1,2", "audio/r0.wav,c,,"], header
    )
    embed(manifest, root, snippets=["whole"], items={"a", "c"})
    encoded.clear()
    assert embed(manifest, root, snippets=["whole"], items={"b"}).renamed == []  # as the next job of a study
    assert (encoded, complete_items(root, None)) == ([], ["a", "b", "c"])


def test_stretches_named_by_their_path_follow_their_file(folder, root, tmp_path, encoded):
    manifest = write_manifest(tmp_path / "m.csv", ["audio/r0.wav,1,2", "audio/r0.wav,2,3.5"], "path,start_s,end_s")
    embed(manifest, root, snippets=["whole"])
    encoded.clear()
    beside = write_manifest(folder / "m.csv", ["r0.wav,1,2", "r0.wav,2,3.5"], "path,start_s,end_s")
    embed(beside, root, snippets=["whole"])
    assert (encoded, complete_items(root, None)) == ([], ["r0.wav#1.0-2.0", "r0.wav#2.0-3.5"])


def test_an_interrupted_embedding_is_resumed_under_the_new_name(folder, root, tmp_path, encoded, monkeypatch):
    from abxfast.store import StoreWriter

    add, added = StoreWriter.add, []

    def interrupted(self, *args):
        if len(added) == 3:
            raise KeyboardInterrupt
        added.append(args)
        add(self, *args)

    monkeypatch.setattr(StoreWriter, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        embed(folder, root, snippets=[1])
    monkeypatch.setattr(StoreWriter, "add", add)
    (folder / "r0.wav").rename(folder / "tale.wav")
    encoded.clear()
    embed(folder, root, snippets=[1])
    assert len(encoded) == 5 + 6 + 7 - 3
    check_equals_fresh(folder, root, tmp_path / "fresh", snippets=[1])


def test_only_files_whose_size_is_known_are_read_before_the_work(folder, root, monkeypatch):
    from abxfast.embedding import recognition

    embed(folder, root, snippets=[1])
    write_noise(folder / "new.wav", 2.2)
    write_noise(folder / "same-size.wav", 5.3, seed=5)
    read = []
    hash_early = recognition.Recogniser._hash
    monkeypatch.setattr(
        recognition.Recogniser,
        "_hash",
        lambda self, path, status: read.append(path.name) or hash_early(self, path, status),
    )
    embed(folder, root, snippets=[1])
    assert read == ["same-size.wav"]


@pytest.mark.parametrize("step", ["after the copy", "after the rows", "within the copy"])
def test_a_rename_that_is_interrupted_shows_one_name_and_is_completed(folder, root, tmp_path, monkeypatch, step):
    from abxfast.embedding import pipeline, renaming

    embed(folder, root, snippets=[1])
    (folder / "r0.wav").rename(folder / "tale.wav")

    def stop(*_, **__):
        raise KeyboardInterrupt

    compact = pipeline.compact
    monkeypatch.setattr(pipeline, "compact", lambda *_, **__: None)  # killed: nothing is done after
    if step == "after the copy":
        monkeypatch.setattr(store_module.Store, "remove_manifest_rows", stop)
    elif step == "after the rows":
        monkeypatch.setattr(pipeline, "Decoder", stop)
    else:
        monkeypatch.setattr(renaming, "copy_entries", stop)
    with pytest.raises(KeyboardInterrupt):
        embed(folder, root, snippets=[1])
    items = complete_items(root, 1.0)
    assert items == (["r0.wav", "r1.wav", "r2.wav"] if step == "within the copy" else ["r1.wav", "r2.wav", "tale.wav"])
    monkeypatch.undo()
    assert pipeline.compact is compact
    assert embed(folder, root, snippets=[1]).audio_s == 0
    check_equals_fresh(folder, root, tmp_path / "fresh", snippets=[1])


CHILD = """
import sys, time
from pathlib import Path
from abxfast.embedding import embed
from abxfast.store import parquet
write_parquet = parquet.write_parquet
def slow(*arguments):
    print(end=".", flush=True)
    write_parquet(*arguments)
    print(end=".", flush=True)
parquet.write_parquet = slow
print(end="!", flush=True)
sys.stdin.readline()
embed(Path(sys.argv[1]), Path(sys.argv[2]), snippets=[1])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_at_any_write_a_rename_loses_nothing_and_shows_no_name_twice(folder, root, tmp_path, monkeypatch):
    embed(folder, root, snippets=[1])
    monkeypatch.setattr("abxfast.store.compaction.SMALL_PART_BYTES", 0)  # parts stay apart
    names = {f"r{n}.wav": n for n in range(3)}
    seen = set()
    for n_writes in range(6):
        for name in list(names):
            number = names.pop(name)
            names[f"{n_writes}-{number}.wav"] = number
            (folder / name).rename(folder / f"{n_writes}-{number}.wav")
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder), str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        child.stdout.read(1)
        child.stdin.write(b"go\n")
        child.stdin.flush()
        child.stdout.read(n_writes)
        child.kill()
        child.communicate()
        items = complete_items(root, 1.0)
        assert sorted(item.split("-")[-1].removeprefix("r") for item in items) == ["0.wav", "1.wav", "2.wav"]
        seen.add(tuple(item.split("-")[0] == str(n_writes) for item in items))
    assert len(seen) > 1  # some were killed before, some after
    for path in (root / "parts").glob(".tmp-*"):  # what a killed process was writing is removed a while later
        os.utime(path, (1, 1))
    report = embed(folder, root, snippets=[1])
    assert report.audio_s == 0
    monkeypatch.undo()
    check_equals_fresh(folder, root, tmp_path / "fresh", snippets=[1])


def test_two_processes_that_rename_at_once_agree(folder, root, tmp_path):
    for n in range(3, 8):
        write_noise(folder / f"r{n}.wav", 4, seed=n)
    embed(folder, root, snippets=[1])
    for n in range(8):
        rename(folder / f"r{n}.wav", folder / "new" / f"{n}.wav")
    write_noise(folder / "more.wav", 20, seed=9)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder), str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for child in children:
        child.stdout.read(1)
    for child in children:
        child.stdin.write(b"go\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=120)
        assert child.returncode == 0
    embed(folder, root, snippets=[1])
    check_equals_fresh(folder, root, tmp_path / "fresh", snippets=[1])


def test_a_part_that_is_merged_while_it_is_copied_is_read_again(folder, root, tmp_path, encoded, monkeypatch):
    embed([folder / "r0.wav"], root, snippets=[1])
    (folder / "r0.wav").rename(folder / "tale.wav")
    read_columns = parquet.read_columns

    def overtaken(path, *arguments):
        if path.parent.name == "parts":
            monkeypatch.setattr(parquet, "read_columns", read_columns)
            embed(
                [write_noise(tmp_path / "more.wav", 2)], root, snippets=[1]
            )  # another process, which merges at its end
        return read_columns(path, *arguments)

    monkeypatch.setattr(parquet, "read_columns", overtaken)
    encoded.clear()
    embed([folder / "tale.wav"], root, snippets=[1])
    assert complete_items(root, 1.0) == ["more.wav", "tale.wav"]
    assert encoded == [RATE_HZ] * 2  # those of the other one
