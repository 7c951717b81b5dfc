"""Atomic writes, temporary files and relative paths."""

import errno
import hashlib
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from abxfast._files import (
    STALE_S,
    TEMPORARY_PREFIX,
    atomic,
    atomic_file,
    json_digest,
    relative_path,
    remove,
    remove_stale,
    write_atomic,
)
from abxfast.errors import OutputError


def disk_full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_is_written_with_missing_folders_and_replaces_an_older_one(tmp_path):
    path = tmp_path / "new" / "folder" / "ŋa.txt"
    write_atomic(path, b"one")
    write_atomic(path, memoryview(b"two"))
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("exists", [False, True])
def test_an_interrupted_write_leaves_nothing_behind(tmp_path, monkeypatch, exists):
    def interrupt(*_):
        raise KeyboardInterrupt

    path = tmp_path / "x"
    if exists:
        path.write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, b"after")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == ({"x": b"before"} if exists else {})


def test_an_exception_while_the_file_is_filled_leaves_nothing_behind(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic_file(tmp_path / "x") as file:  # noqa: PT012
        file.write(b"half")
        assert [path.name.startswith(TEMPORARY_PREFIX) for path in tmp_path.iterdir()] == [True]
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["fsync", "replace", "mkdir"])
def test_a_full_disk_is_one_line_and_leaves_nothing_behind(tmp_path, monkeypatch, call):
    monkeypatch.setattr(*((os, "fsync") if call == "fsync" else (Path, call)), disk_full)
    path = tmp_path / "x"
    with pytest.raises(OutputError) as caught:
        write_atomic(path, b"x")
    assert str(caught.value).startswith(f"{path}: cannot be written (the disk is full, ")
    assert str(caught.value).endswith(" MB are left: remove or move files, then run this again)")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_synced_does_not_stop_the_write(tmp_path, monkeypatch):
    fsync = os.fsync

    def refuse_folders(descriptor):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):  # noqa: PTH112
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    write_atomic(tmp_path / "x", b"x")
    assert (tmp_path / "x").read_bytes() == b"x"


@pytest.fixture
def busy_replace(monkeypatch):
    """A rename that Windows refuses twice, as while a virus scanner has the file open; returns the attempts."""
    attempts = []
    replace = Path.replace

    def refuse_twice(self, target):
        attempts.append(target)
        if len(attempts) < 3:
            raise PermissionError(errno.EACCES, "Access is denied")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse_twice)
    return attempts


def test_a_file_that_another_program_has_open_is_renamed_later_on_windows(tmp_path, monkeypatch, busy_replace):
    waits_s = []
    monkeypatch.setattr(atomic, "os", SimpleNamespace(**{**vars(os), "name": "nt"}))
    monkeypatch.setattr(atomic.time, "sleep", waits_s.append)
    write_atomic(tmp_path / "x", b"x")
    assert (tmp_path / "x").read_bytes() == b"x"
    assert len(busy_replace) == 3
    assert len(waits_s) == 2
    assert waits_s[1] > waits_s[0]


def test_a_file_that_stays_open_on_windows_is_an_error(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Access is denied")

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(atomic, "os", SimpleNamespace(**{**vars(os), "name": "nt"}))
    monkeypatch.setattr(atomic.time, "sleep", lambda _: None)
    with pytest.raises(OutputError, match=r"cannot be written \(Access is denied\)$"):
        write_atomic(tmp_path / "x", b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows tries again")
@pytest.mark.usefixtures("busy_replace")
def test_a_refused_rename_is_an_error_at_once_elsewhere(tmp_path):
    with pytest.raises(OutputError, match=r"cannot be written \(Access is denied\)$"):
        write_atomic(tmp_path / "x", b"x")
    assert list(tmp_path.iterdir()) == []


def test_only_stale_temporary_files_are_removed(tmp_path, monkeypatch):
    now_s = 1_700_000_000.0
    monkeypatch.setattr(atomic.time, "time", lambda: now_s)
    (tmp_path / "parts" / "deeper").mkdir(parents=True)
    ages_s = {
        f"{TEMPORARY_PREFIX}1-00": STALE_S + 1,
        f"parts/{TEMPORARY_PREFIX}2-00": STALE_S + 1,
        f"{TEMPORARY_PREFIX}3-00": STALE_S - 1,
        f"parts/{TEMPORARY_PREFIX}4-00": 0.0,
        f"parts/deeper/{TEMPORARY_PREFIX}5-00": STALE_S + 1,
        "results.csv": STALE_S + 1,
        "parts/a.parquet": STALE_S + 1,
    }
    for name, age_s in ages_s.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (now_s - age_s, now_s - age_s))
    remove_stale(tmp_path)
    remaining = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert remaining == set(list(ages_s)[2:])


def test_removing_a_missing_file_is_no_error(tmp_path):
    (tmp_path / "x").touch()
    remove(tmp_path / "x")
    remove(tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_path_is_relative_with_forward_slashes(tmp_path):
    assert relative_path(tmp_path / "a" / "b.wav", tmp_path) == "a/b.wav"
    assert relative_path(tmp_path / "b.wav", tmp_path / "s.store") == "../b.wav"


def test_a_path_on_another_drive_is_absolute(tmp_path, monkeypatch):
    def other_drive(*_):
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    monkeypatch.setattr(os.path, "relpath", other_drive)
    assert relative_path(tmp_path / "b.wav", tmp_path) == (tmp_path / "b.wav").as_posix()


def test_a_digest_is_that_of_the_json_text():
    assert json_digest(["é", 1, None]) == hashlib.sha256('["é", 1, null]'.encode()).hexdigest()
    assert json_digest(["é", 1, None]) != json_digest(["e", 1, None])
