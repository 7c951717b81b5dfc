import errno
import os
import tempfile

import numpy as np
import pytest
from small_store import check_store, make_entry, make_vectors, write_entry

from abxfast.errors import OutputError, StoreError
from abxfast.store import compact, open_store


def test_beyond_the_memory_budget_vectors_are_the_same(store, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    write_entry(store, make_entry("a"), range(9), 9)
    write_entry(store, make_entry("b"), range(4), 4)
    held, mapped = store.read(10.0, "v.max"), store.read(10.0, "v.max", memory_mb=0)
    assert isinstance(mapped.embeddings, np.memmap)
    assert not isinstance(held.embeddings, np.memmap)
    np.testing.assert_array_equal(held.embeddings, mapped.embeddings)
    assert [path.name for path in tmp_path.iterdir()] == ["s.store"]  # the scratch file has no name


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs posix_fallocate")
def test_no_room_for_the_scratch_file_is_an_error_not_a_crash(store, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    write_entry(store, make_entry(), [0], 1)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OutputError, match=r"No space left on device.*raise `memory_mb`"):
        store.read(10.0, "v.max", memory_mb=0)


def test_only_the_items_asked_for_are_read(store):
    for item in "abc":
        write_entry(store, make_entry(item), [0, 1], 2)
    snippets = store.read(10.0, "v.max", items={"c", "a", "unknown"})
    assert snippets.items == ["a", "a", "c", "c"]
    np.testing.assert_array_equal(snippets.embeddings[2:], [make_vectors(make_entry("c"), n)[0] for n in (0, 1)])
    assert len(store.read(3.0, "v.max").items) == 0
    with pytest.raises(StoreError, match=r"no variant 'v\.min', expected one of v\.max, v\.mean"):
        store.read(10.0, "v.min")


def test_a_reader_that_is_overtaken_by_a_merge_refreshes(store):
    write_entry(store, make_entry("a"), [0, 1], 2)
    write_entry(store, make_entry("b"), [0], 1)
    reader = open_store(store.root)
    compact(open_store(store.root))
    check_store(reader, {make_entry("a"): 2, make_entry("b"): 1})
