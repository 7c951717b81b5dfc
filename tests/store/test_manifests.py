import pytest
from small_store import make_manifest

from abxfast.errors import StoreError
from abxfast.store import open_store
from abxfast.store import parquet as parquet_module


def test_copies_of_manifests_merge_and_the_newest_counts(store, tmp_path):
    store.save_manifest(make_manifest(tmp_path, a="high", b="low"))
    store.save_manifest(make_manifest(tmp_path, b="rising", c=None))
    assert {name: row["tone"] for name, row in store.manifest_rows().items()} == {"a": "high", "b": "rising", "c": None}
    assert store.manifest_rows()["a"]["path"] == "audio/a"
    assert store.metadata_columns() == ["tone"]
    store.save_manifest(make_manifest(tmp_path, a="high", b="low"))  # back to the first, which counts again
    assert store.manifest_rows()["b"]["tone"] == "low"
    store.save_manifest(make_manifest(tmp_path, a="1", b="2", c="3"))
    assert {name: row["tone"] for name, row in store.manifest_rows().items()} == {"a": "1", "b": "2", "c": "3"}
    copies = list((store.root / "manifests").iterdir())
    assert len(copies) == 1
    store.save_manifest(make_manifest(tmp_path, a="1", b="2", c="3"))
    assert list((store.root / "manifests").iterdir()) == copies
    copies[0].write_bytes(b"")
    with pytest.raises(StoreError, match=f"{copies[0].name}: is damaged"):
        store.manifest_rows()


def test_a_copy_that_is_replaced_while_it_is_read_is_no_error(store, tmp_path, monkeypatch):
    store.save_manifest(make_manifest(tmp_path, a="high"))
    read_footer = parquet_module.read_footer

    def overtaken(path):
        monkeypatch.setattr(parquet_module, "read_footer", read_footer)
        open_store(store.root).save_manifest(make_manifest(tmp_path, a="low"))
        return read_footer(path)

    monkeypatch.setattr(parquet_module, "read_footer", overtaken)
    assert store.manifest_rows()["a"]["tone"] == "low"
