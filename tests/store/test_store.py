import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_store import (
    DIM,
    ENCODER,
    TEN,
    VARIANTS,
    WHOLE,
    check_store,
    make_entry,
    make_vectors,
    part_files,
    write_entry,
)

from abxfast.audio import SnippetPlan
from abxfast.errors import StoreError
from abxfast.store import StoreWriter, compact, create_store, open_store
from abxfast.store import parquet as parquet_module


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_what_is_written_is_read(data):
    totals = {
        make_entry(item, plan): data.draw(st.integers(1, 6))
        for item in "abc"
        for plan in data.draw(st.sets(st.sampled_from([TEN, SnippetPlan(1.0, 0.5, "keep"), WHOLE]), min_size=1))
    }
    rows = data.draw(st.permutations([(entry, number) for entry, total in totals.items() for number in range(total)]))
    repeated = data.draw(st.lists(st.sampled_from(rows), max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        stores = [create_store(Path(folder, "s"), ENCODER) for _ in range(2)]
        writers = [StoreWriter(store) for store in stores]
        for entry, number in (*rows, *repeated):
            which = data.draw(st.integers(0, 1))
            writers[which].add(entry, number, 10.0 * number, 10.0 * number + 10, make_vectors(entry, number))
            action = data.draw(st.sampled_from(["go on", "go on", "flush", "compact", "finish"]))
            if action == "flush":
                writers[which].flush()
            elif action == "compact":
                compact(stores[which])
            elif action == "finish":
                writers[which].finish(entry, totals[entry])
        for entry, total in totals.items():
            writers[0].finish(entry, total)
        for writer in writers:
            writer.flush()
        check_store(open_store(Path(folder, "s")), totals)
        for store in stores:
            compact(store)
            check_store(store, totals)
        store = open_store(Path(folder, "s"))
        check_store(store, totals)
        assert len(part_files(store)) == 1
        assert pq.read_metadata(part_files(store)[0]).num_rows == len(rows)


def test_the_newest_complete_entry_counts_and_replaces_older_ones(store):
    old, new = make_entry(content="old"), make_entry(content="new")
    write_entry(store, old, [0, 1], 2)
    write_entry(store, new, [0])
    check_store(store, {old: 2})  # until the new one is complete
    compact(store)
    check_store(store, {old: 2})
    write_entry(store, new, [1, 2], 3)
    check_store(store, {new: 3})
    compact(store)
    check_store(open_store(store.root), {new: 3})
    assert old.key(ENCODER.sha256) not in store.entries
    (part,) = part_files(store)
    assert pq.read_metadata(part).num_rows == 3


def test_an_entry_that_is_confirmed_counts_again(store):
    first, second = make_entry(content="first"), make_entry(content="second")
    write_entry(store, first, [0], 1)
    write_entry(store, second, [0, 1], 2)
    write_entry(store, replace(first, mtime_ns=5), [], 1)
    check_store(store, {first: 1})
    compact(store)
    (state,) = open_store(store.root).complete_entries(10.0)
    assert state.entry == replace(first, mtime_ns=5)


def test_a_clock_that_was_ahead_does_not_keep_old_content(store, monkeypatch):
    monkeypatch.setattr("time.time_ns", lambda: 2**62)
    write_entry(store, make_entry(content="old"), [0], 1)
    monkeypatch.undo()
    write_entry(open_store(store.root), make_entry(content="new"), [0], 1)
    check_store(open_store(store.root), {make_entry(content="new"): 1})


@pytest.mark.parametrize("damage", ["cut short", "garbage", "empty", "flipped"])
def test_a_damaged_part_is_named_and_can_be_written_again(store, damage):
    write_entry(store, make_entry("a"), range(40), 40)
    write_entry(store, make_entry("b"), range(40), 40)
    path = part_files(store)[0]
    content = bytearray(path.read_bytes())
    if damage == "flipped":  # a bit of a vector, which the footer knows nothing of
        (entry,) = (store.entries[key].entry for key in store.parts[path.name].keys)
        content[content.index(make_vectors(entry, 7)[0].tobytes())] ^= 1
    damaged = {"cut short": content[:-100], "garbage": b"x" * len(content), "empty": b"", "flipped": content}[damage]
    path.write_bytes(bytes(damaged))
    with pytest.raises(StoreError, match="damaged") as caught:
        open_store(store.root).read(10.0, "v.max")
    assert str(path) in str(caught.value)
    assert "delete this file and run `abxfast.embed` again" in str(caught.value)
    assert "\n" not in str(caught.value)
    path.unlink()
    store = open_store(store.root)
    assert len(store.complete_entries(10.0)) == 1
    for item in "ab":
        write_entry(store, make_entry(item), range(40), 40)
    compact(store)
    check_store(open_store(store.root), {make_entry("a"): 40, make_entry("b"): 40})


@pytest.mark.parametrize(
    "change",
    [
        lambda meta: meta.pop("units"),
        lambda meta: meta.pop("spans"),
        lambda meta: meta["spans"].append([1, 2]),
        lambda meta: meta["spans"].append(["nobody", 0, 0, 1]),
        lambda meta: next(iter(meta["units"].values())).pop("unit"),
        lambda meta: next(iter(meta["units"].values()))["unit"].pop("plan"),
        lambda meta: meta.update(units=[]),
    ],
)
def test_a_footer_that_makes_no_sense_is_named(store, change):
    write_entry(store, make_entry(), [0], 1)
    (path,) = part_files(store)
    meta = parquet_module.read_footer(path).meta
    change(meta)
    parquet_module.write_parquet(path, parquet_module.read_columns(path), meta)
    with pytest.raises(StoreError, match=rf"{path.name}: is damaged"):
        open_store(store.root)


@pytest.mark.parametrize(
    ("meta", "message"), [({"format": 99}, "format 99"), ({"encoder_sha256": "f" * 64}, "another encoder")]
)
def test_a_part_of_another_format_or_encoder_is_named(store, meta, message):
    write_entry(store, make_entry(), [0], 1)
    (path,) = part_files(store)
    changed = {**parquet_module.read_footer(path).meta, **meta}
    parquet_module.write_parquet(path, parquet_module.read_columns(path), changed)
    with pytest.raises(StoreError, match=message):
        open_store(store.root)


def test_other_programs_read_the_parts(store):
    write_entry(store, make_entry("a"), [0, 1], 2)
    write_entry(store, make_entry("b", WHOLE), [0], 1)
    (store.root / "parts" / ".tmp-1-00").write_bytes(b"half a part")
    table = pyarrow.dataset.dataset(store.root / "parts", format="parquet").to_table()
    vector = pa.list_(pa.float32(), DIM)
    assert [(field.name, field.type) for field in table.schema] == [
        ("item", pa.string()),
        ("recording", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("snippet_s", pa.float64()),
        *((variant, vector) for variant in VARIANTS),
    ]
    rows = sorted(table.to_pylist(), key=lambda row: (row["item"], row["start_s"]))
    assert [row["snippet_s"] for row in rows] == [10.0, 10.0, None]
    assert [row["item"] for row in rows] == ["a", "a", "b"]
    assert np.float32(rows[1]["v.mean"]).tolist() == make_vectors(make_entry("a"), 1)[1].tolist()


def test_the_keys_of_a_footer_are_those_of_format_1(store):
    """Stores of every abxfast that writes format 1 can be read and extended by every other."""
    write_entry(store, make_entry("a"), [0, 1], 2)
    (path,) = part_files(store)
    meta = parquet_module.read_footer(path).meta
    key = make_entry("a").key(ENCODER.sha256)
    assert key == "3ad6849c291f2009043ad63b734a7e17"
    (state,) = meta.pop("units").values()
    assert meta == {"format": 1, "encoder_sha256": ENCODER.sha256, "spans": [[key, 0, 0, 2]]}
    assert state.pop("written_ns") > 0
    assert state == {
        "unit": {
            "item": "a",
            "recording": "a.wav",
            "content": "c0",
            "path": "a.wav",
            "size": 1,
            "mtime_ns": 1,
            "start_s": None,
            "end_s": None,
            "channel": None,
            "plan": {"length_s": 10.0, "hop_s": 10.0, "remainder": "drop"},
        },
        "total": 2,
    }


def test_a_part_that_disappears_while_footers_are_read_is_no_error(store, monkeypatch):
    write_entry(store, make_entry("a"), [0, 1], 2)
    write_entry(store, make_entry("b"), [0], 1)
    read_footer = parquet_module.read_footer

    def overtaken(path):
        monkeypatch.setattr(parquet_module, "read_footer", read_footer)
        compact(store)
        return read_footer(path)

    other = open_store(store.root)
    monkeypatch.setattr(parquet_module, "read_footer", overtaken)
    other.refresh()
    check_store(other, {make_entry("a"): 2, make_entry("b"): 1})


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_a_dangling_link_does_not_hang(store):
    write_entry(store, make_entry(), [0], 1)
    (store.root / "parts" / "x.parquet").symlink_to("nowhere")
    with pytest.raises(StoreError, match=r"x\.parquet: is listed but does not exist"):
        open_store(store.root)
