"""Folders as linguists have them: all their audio, under names that are unique."""

import os
import unicodedata
from pathlib import Path

import pytest
from manifest_files import IN_SCRIPTS, audio, refusal

from abxfast.manifest import load_manifest, scan_recordings


@pytest.fixture
def folder(tmp_path):
    for name in ("a.wav", "b.wav", "c.wav", "sub/d.wav"):
        audio(tmp_path / name)
    return tmp_path


def test_the_audio_of_a_folder_is_listed_in_order(tmp_path):
    for name in ("b.WAV", "a 2.flac", f"sub/{IN_SCRIPTS}.mp3", "sub/deeper/c.ogg", "z.M4A", "sub/v.mp4"):
        audio(tmp_path / name)
    for name in ("._b.wav", "sub/._x.wav", ".hidden/x.wav", "notes.txt", "wav", "x.wav.txt", ".wav"):
        audio(tmp_path / name)
    (tmp_path / "folder.wav").mkdir()
    manifest = scan_recordings([tmp_path])
    assert [item.item for item in manifest.items] == [
        "a 2.flac",
        "b.WAV",
        "z.M4A",
        "sub/v.mp4",
        unicodedata.normalize("NFC", f"sub/{IN_SCRIPTS}.mp3"),
        "sub/deeper/c.ogg",
    ]
    assert all(item.recording == item.item and item.path.is_file() for item in manifest.items)
    assert all((item.start_s, item.end_s, item.labels) == (None, None, {}) for item in manifest.items)
    assert manifest == load_manifest(tmp_path) == load_manifest(str(tmp_path)) == load_manifest([tmp_path])


def test_two_recordings_of_one_name_are_refused(tmp_path):
    first, second = audio(tmp_path / "x" / "a.wav"), audio(tmp_path / "y" / "a.wav")
    message = refusal(load_manifest, [first.parent, second.parent])
    assert message == (
        f"{second}: has the same name, 'a.wav', as {first}; pass the folder that contains both, or a manifest"
    )


def test_one_recording_under_two_names_is_refused(folder, monkeypatch):
    message = refusal(load_manifest, [folder, folder / "sub"])
    twice = folder / "sub" / "d.wav"
    assert message == f"{twice}: is included twice, as 'sub/d.wav' and as 'd.wav'; pass its folder once"
    monkeypatch.chdir(folder)
    assert len(load_manifest([Path(), folder, "sub/../a.wav"]).items) == 4


def test_a_folder_that_may_not_be_read_is_refused(folder, monkeypatch):
    scandir = os.scandir

    def locked(path):
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    assert refusal(scan_recordings, [folder]).startswith(f"{folder / 'sub'}: cannot be read (Permission denied)")


def test_paths_without_audio_are_refused(tmp_path):
    audio(tmp_path / "notes.txt")
    assert refusal(load_manifest, tmp_path).startswith(f"{tmp_path}: no audio in this folder")
    assert refusal(load_manifest, tmp_path / "gone") == f"{tmp_path / 'gone'}: no such file or folder"
    assert refusal(load_manifest, [audio(tmp_path / "a.wav"), tmp_path / "b.wav"]).startswith(
        f"{tmp_path / 'b.wav'}: no such"
    )
    assert refusal(load_manifest, []) == "no recordings given, expected a folder, audio files or one table"


def test_files_and_folders_are_combined(folder):
    manifest = load_manifest([folder / "sub", str(folder / "b.wav")])
    assert [item.item for item in manifest.items] == ["d.wav", "b.wav"]
    assert [item.item for item in load_manifest([folder / "b.wav", folder / "b.wav"]).items] == ["b.wav"]
    assert len(load_manifest([folder, folder / "a.wav", folder / "sub" / ".." / "b.wav"]).items) == 4
