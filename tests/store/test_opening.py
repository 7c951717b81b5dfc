import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from small_store import DIM, ENCODER, INFO, OTHER_ENCODER, check_store, make_entry, write_entry

from abxfast._version import __version__
from abxfast.errors import StoreError
from abxfast.store import create_store, is_store, open_store, opening


def test_the_header_is_that_of_format_1(store):
    assert (store.root / "store.json").read_text(encoding="utf-8") == json.dumps(
        {
            "format": 1,
            "encoder": "small",
            "encoder_sha256": "e" * 64,
            "variants": ["v.max", "v.mean"],
            "default_variant": "v.max",
            "dim": 3,
            "rate_hz": 16_000,
            "abxfast": __version__,
            "checksum": json.loads((store.root / "store.json").read_text())["checksum"],
        },
        indent=1,
    )
    for opened in (store, open_store(store.root)):
        assert (opened.encoder, opened.encoder_sha256, opened.dim, opened.rate_hz) == ("small", "e" * 64, 3, 16_000)
        assert (opened.variants, opened.default_variant) == (("v.max", "v.mean"), "v.max")


def test_a_store_is_a_folder_with_a_header(store, tmp_path):
    assert is_store(store.root)
    for path in (tmp_path, tmp_path / "none", store.root / "store.json"):
        assert not is_store(path)
    (store.root / "store.json").write_text("{")
    assert is_store(store.root)  # damaged, which is for open_store to report


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "is not a store"),
        ("{", "is damaged"),
        ("[]", "format None"),
        ('{"format": 2}', "format 2"),
        ('{"format": 1, "encoder": "x"}', "no encoder_sha256"),
        (b"\xff\xfe", "is damaged"),
        ({"dim": "many"}, "no dim"),
        ({"variants": "v"}, "no variants"),
    ],
)
def test_a_missing_or_garbled_header_is_named(store, text, message):
    path = store.root / "store.json"
    if text is None:
        path.unlink()
    elif isinstance(text, dict):
        content = json.loads(path.read_text()) | text
        path.write_text(json.dumps({name: value for name, value in content.items() if name != "checksum"}))
    else:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(StoreError, match=message) as caught:
        open_store(store.root)
    assert str(store.root) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_a_store_is_left_unchanged(tmp_path):
    with pytest.raises(StoreError, match=r"no such store; create one with `abxfast\.embed`"):
        open_store(tmp_path / "none")
    file = tmp_path / "file"
    file.write_text("text")
    for act in (open_store, lambda root: create_store(root, ENCODER)):
        with pytest.raises(StoreError, match="is not a store"):
            act(file)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "thesis.doc").write_text("text")
    with pytest.raises(StoreError, match="is not a store; choose a new folder for `store`"):
        create_store(folder, ENCODER)
    assert [path.name for path in folder.iterdir()] == ["thesis.doc"]


def test_an_empty_folder_becomes_a_store_even_after_a_crash(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in (".DS_Store", ".lock", ".tmp-1-00"):  # the last two are left if a process is killed before store.json
        (folder / name).touch()
    write_entry(create_store(folder, ENCODER), make_entry(), [0], 1)
    check_store(open_store(folder), {make_entry(): 1})


def test_a_second_encoder_is_refused(store):
    with pytest.raises(StoreError, match="another file of this name"):
        create_store(store.root, OTHER_ENCODER)
    renamed = SimpleNamespace(info=replace(INFO, name="big"), sha256="f" * 64, dim=DIM)
    with pytest.raises(StoreError, match="found 'small', asked for 'big'"):
        create_store(store.root, renamed)


def test_the_second_of_two_processes_does_not_replace_the_header(tmp_path, monkeypatch):
    root = tmp_path / "s"
    lock_folder = opening.lock_folder

    def overtaken(folder):
        monkeypatch.setattr(opening, "lock_folder", lock_folder)
        create_store(root, OTHER_ENCODER)
        return lock_folder(folder)

    monkeypatch.setattr(opening, "lock_folder", overtaken)
    with pytest.raises(StoreError, match="another encoder"):
        create_store(root, ENCODER)
    assert open_store(root).encoder_sha256 == OTHER_ENCODER.sha256
