"""Stores that are deleted, edited or damaged: success is only said of what can be read back, and nothing is guessed."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from noise_recordings import write_noise
from small_store import ENCODER, make_entry, make_manifest, make_vectors, part_files, write_entry

from abxfast.encoders import Encoder
from abxfast.errors import StoreError
from abxfast.store import check_written, compact, create_store, open_store
from abxfast.store import parquet as parquet_module

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from abxfast.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return create_store(tmp_path / "s.store", ENCODER)


def edit(store: Store, **changes: object) -> None:
    path = store.root / "store.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_unsigned(store: Store, **changes: object) -> None:
    """Edit a header as an earlier version wrote it, without a checksum."""
    path = store.root / "store.json"
    content = json.loads(path.read_text()) | changes
    del content["checksum"]
    path.write_text(json.dumps(content))


def delete_store(root: Path) -> None:
    shutil.rmtree(root)


def delete_header(root: Path) -> None:
    (root / "store.json").unlink()


def delete_parts(root: Path) -> None:
    shutil.rmtree(root / "parts")


def edit_header(root: Path) -> None:
    edit(open_store(root), default_variant="mfcc.mean")


DAMAGES = [delete_store, delete_header, delete_parts, edit_header]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("at", ["first snippet", "last snippet", "compaction"])
def test_a_store_that_is_damaged_during_an_embedding_is_no_success(
    tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None], at: str
) -> None:
    from abxfast.embedding import pipeline

    root = tmp_path / "s.store"
    write_noise(tmp_path / "audio" / "a.wav", 5.2)
    encode, tidy, calls = Encoder.encode, pipeline.compact, []

    def damaged_encode(self, waves):
        calls.append(1)
        if len(calls) == {"first snippet": 2, "last snippet": 5}.get(at):
            damage(root)
        return encode(self, waves)

    def damaged_tidy(*arguments, **options):
        tidy(*arguments, **options)
        damage(root)

    monkeypatch.setattr(Encoder, "encode", damaged_encode)
    if at == "compaction":
        monkeypatch.setattr(pipeline, "compact", damaged_tidy)
    words = ("embed", tmp_path / "audio", "-o", root, "--snippet", "1", "--threads", "1")
    status, _, err = run(*words)
    if damage is delete_parts and at == "first snippet":
        # Nothing may have been there yet: then all of it is, in the end.
        assert status == 2 or len(open_store(root).read(1.0, "mfcc.max").items) == 5
        return
    assert status == 2
    assert "5 snippets" not in err
    assert str(root) in err


@pytest.mark.parametrize(
    "changes",
    [
        {"dim": 2},
        {"dim": 6},
        {"default_variant": "v.mean"},
        {"encoder": "other"},
        {"encoder_sha256": "0" * 64},
        {"rate_hz": 8_000},
        {"variants": ["v.mean", "v.max"]},
        {"checksum": "0"},
        {"checksum": 1},
    ],
)
def test_a_header_that_was_changed_is_refused(store: Store, changes: dict[str, object]) -> None:
    write_entry(store, make_entry(), [0, 1], 2)
    edit(store, **changes)
    with pytest.raises(StoreError, match=r"store\.json: is damaged \(its checksum"):
        open_store(store.root)


@pytest.mark.parametrize(
    "changes",
    [
        *[{"dim": dim} for dim in (-1, 0, True, 24, 2, 3.0, "3", None, 10**30)],
        *[{"rate_hz": rate} for rate in (0, -1, False, 1e9)],
        *[{"variants": names} for names in ([], ["v.max", "v.max"], [1, 2], ["v.max", "none"], "v.max", [["v.max"]])],
        *[{"default_variant": name} for name in ("none", "", None, 3)],
        *[{"encoder": name} for name in ("", None, 5)],
    ],
)
def test_a_header_without_a_checksum_must_fit_the_parts(store: Store, changes: dict[str, object]) -> None:
    write_entry(store, make_entry(), [0, 1], 2)
    edit_unsigned(store)
    assert open_store(store.root).dim == 3
    store = create_store(store.root.parent / "other.store", ENCODER)
    write_entry(store, make_entry(), [0, 1], 2)
    edit_unsigned(store, **changes)
    with pytest.raises(StoreError) as caught:
        open_store(store.root)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda meta: meta["spans"].append(["?", 0, 2, 1]),
        lambda meta: meta["spans"][0].__setitem__(3, 10**12),
        lambda meta: meta["spans"][0].__setitem__(1, -1),
        lambda meta: meta["spans"][0].__setitem__(1, 1),
        lambda meta: meta["spans"][0].__setitem__(2, 1),
        lambda meta: meta["spans"][0].__setitem__(0, "?"),
        lambda meta: meta["spans"].clear(),
        lambda meta: next(iter(meta["units"].values())).__setitem__("total", 1),
        lambda meta: next(iter(meta["units"].values())).pop("unit"),
        lambda meta: meta.pop("units"),
    ],
)
def test_a_footer_that_does_not_fit_its_rows_is_refused(store: Store, change: Callable[[dict], None]) -> None:
    write_entry(store, make_entry(), [0, 1], 2)
    (path,) = part_files(store)
    meta = parquet_module.read_footer(path).meta
    change(meta)
    parquet_module.write_parquet(path, parquet_module.read_columns(path), meta)
    with pytest.raises(StoreError) as caught:
        open_store(store.root)
    assert "damaged" in str(caught.value)


@pytest.mark.parametrize("column", ["item", "recording", "path", "start_s", "end_s", "tone"])
@pytest.mark.parametrize("retype", [True, False])
def test_a_manifest_copy_without_a_column_is_refused(
    store: Store, tmp_path: Path, column: str, *, retype: bool
) -> None:
    store.save_manifest(make_manifest(tmp_path, a="high"))
    (path,) = (store.root / "manifests").iterdir()
    footer, table = parquet_module.read_footer(path), parquet_module.read_columns(path)
    at = table.column_names.index(column)
    changed = table.set_column(at, column, pa.array([[1]])) if retype else table.remove_column(at)
    parquet_module.write_parquet(path, changed, footer.meta)
    if column == "tone" and not retype:
        assert "tone" not in store.manifest_rows()["a"]
        return
    with pytest.raises(StoreError, match=f"{path.name}: is damaged"):
        store.manifest_rows()


def test_what_is_missing_or_damaged_after_writing_is_found(store: Store) -> None:
    entry = make_entry()
    key = entry.key(ENCODER.sha256)
    write_entry(store, entry, [0, 1], 2)
    check_written(store, {key})
    (path,) = part_files(store)
    content = bytearray(path.read_bytes())
    content[content.index(make_vectors(entry, 0)[0].tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        check_written(store, {key})
    path.unlink()
    with pytest.raises(StoreError, match="1 of 1 entries"):
        check_written(store, {key})


def test_parts_that_cannot_be_listed_are_no_empty_store(store: Store) -> None:
    write_entry(store, make_entry(), [0, 1], 2)
    shutil.rmtree(store.root / "parts")
    (store.root / "parts").write_bytes(b"")
    with pytest.raises(StoreError, match=r"parts: cannot be read"):
        open_store(store.root)


def test_a_compaction_that_finds_no_store_creates_none(store: Store) -> None:
    shutil.rmtree(store.root)
    with pytest.raises(StoreError, match="no such store"):
        compact(store)
    assert not store.root.exists()
