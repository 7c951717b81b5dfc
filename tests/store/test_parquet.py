import errno
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_store import ENCODER, check_store, make_entry, make_manifest, write_entry

from abxfast.errors import StoreError
from abxfast.store import create_store, open_store


def no_space(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("call", ["fsync", "replace", "mkdir"])
def test_a_full_disk_is_reported_in_one_line_and_leaves_nothing_behind(store, monkeypatch, call):
    write_entry(store, make_entry("a"), [0], 1)
    before = sorted(store.root.rglob("*"))
    owner = {"fsync": os, "replace": Path, "mkdir": Path}[call]
    monkeypatch.setattr(owner, call, no_space)
    with pytest.raises(StoreError, match=r"\(the disk is full, .*\); what was stored before is safe") as caught:
        write_entry(store, make_entry("b"), [0], 1)
    assert str(store.root / "parts") in str(caught.value)
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert sorted(store.root.rglob("*")) == before
    check_store(open_store(store.root), {make_entry("a"): 1})


@pytest.mark.parametrize(
    "act",
    [
        lambda store, folder: store.save_manifest(make_manifest(folder, a="high")),
        lambda _, folder: create_store(folder / "new.store", ENCODER),
    ],
)
def test_manifests_and_headers_that_cannot_be_written_are_store_errors_too(store, tmp_path, monkeypatch, act):
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(StoreError, match=r"cannot be written \(the disk is full.*\); what was stored before is safe"):
        act(store, tmp_path)


def test_a_parquet_file_of_another_program_is_named(store):
    (store.root / "parts").mkdir()
    pq.write_table(pa.table({"x": [1]}), store.root / "parts" / "theirs.parquet")
    with pytest.raises(StoreError, match=r"theirs\.parquet: is damaged"):
        open_store(store.root)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX errors")
def test_a_file_that_cannot_be_read_is_not_called_damaged(store, monkeypatch):
    write_entry(store, make_entry(), [0], 1)

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(pq, "ParquetFile", refuse)
    with pytest.raises(StoreError, match="cannot be read") as caught:
        open_store(store.root)
    assert "delete" not in str(caught.value)
