"""What the user passes: one table, or folders and audio files."""

from manifest_files import audio, refusal, table

from abxfast.manifest import load_manifest


def test_a_manifest_must_be_the_only_path(tmp_path):
    audio(tmp_path / "a.wav")
    path = table(tmp_path, "path\na.wav\n", "list.TSV")
    assert refusal(load_manifest, [tmp_path, path]) == (
        f"{path}: a manifest must be the only path, found 1 more; list all recordings in the manifest"
    )
    assert len(load_manifest([path]).items) == 1


def test_a_missing_table_and_a_folder_named_like_one_are_refused(tmp_path):
    assert refusal(load_manifest, tmp_path / "t.csv") == f"{tmp_path / 't.csv'}: no such file"
    (tmp_path / "t.csv").mkdir()
    assert refusal(load_manifest, tmp_path / "t.csv").startswith(f"{tmp_path / 't.csv'}: cannot be read (")
