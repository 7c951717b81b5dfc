import errno
import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.audio import SnippetPlan
from abxfast.encoders import EncoderInfo
from abxfast.errors import StoreError
from abxfast.manifest import Item, Manifest
from abxfast.store import StoreEntry, StoreWriter, compact, compaction, create_store, open_store
from abxfast.store import parquet as parts
from abxfast.store import store as store_module

VARIANTS = ("v.max", "v.mean")
DIM = 3
INFO = EncoderInfo(
    name="small",
    variants=VARIANTS,
    default_variant="v.max",
    sample_rate_hz=16_000,
    least_samples=400,
    frame_hop_samples=160,
    normalisation="none",
    precision="fp32",
)
ENCODER = SimpleNamespace(info=INFO, sha256="e" * 64, dim=DIM)
TEN = SnippetPlan(10.0, 10.0)
WHOLE = SnippetPlan(None, None)


def unit(item="a", plan=TEN, content="c0", **changes):
    made = StoreEntry(
        item=item,
        recording=f"{item}.wav",
        content=content,
        path=f"{item}.wav",
        size=1,
        mtime_ns=1,
        start_s=None,
        end_s=None,
        channel=None,
        plan=plan,
    )
    return replace(made, **changes)


def vectors(of, number):
    """What an encoder would give: a function of what the key stands for, and nothing else."""
    seed = int(of.key(ENCODER.sha256)[:8], 16) + number
    return np.random.default_rng(seed).standard_normal((len(VARIANTS), DIM)).astype(np.float32)


def put(store, of, numbers, total=None):
    with StoreWriter(store) as writer:
        for number in numbers:
            writer.add(of, number, 10.0 * number, 10.0 * number + 10, vectors(of, number))
        if total is not None:
            writer.finish(of, total)


def check(store, expected):
    """Hold what is read against ``{unit: total}``."""
    for length_s in {of.plan.length_s for of in expected}:
        for i, variant in enumerate(VARIANTS):
            found = store.read(length_s, variant)
            units = sorted((of for of in expected if of.plan.length_s == length_s), key=lambda of: of.item)
            rows = [(of, number) for of in units for number in range(expected[of])]
            assert found.items == [of.item for of, _ in rows]
            assert found.recordings == [of.recording for of, _ in rows]
            np.testing.assert_array_equal(found.start_s, [10.0 * number for _, number in rows])
            np.testing.assert_array_equal(found.end_s, [10.0 * number + 10 for _, number in rows])
            wanted = np.array([vectors(of, number)[i] for of, number in rows], np.float32).reshape(-1, DIM)
            np.testing.assert_array_equal(found.embeddings, wanted)
    assert set(store.lengths()) == {of.plan.length_s for of in expected if expected[of]}


def part_files(store):
    return sorted((store.root / "parts").glob("*.parquet"))


@pytest.fixture
def store(tmp_path):
    return create_store(tmp_path / "s.store", ENCODER)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_what_is_written_is_read(data):
    totals = {
        unit(item, plan): data.draw(st.integers(1, 6))
        for item in "abc"
        for plan in data.draw(st.sets(st.sampled_from([TEN, SnippetPlan(1.0, 0.5, "keep"), WHOLE]), min_size=1))
    }
    rows = data.draw(st.permutations([(of, number) for of, total in totals.items() for number in range(total)]))
    again = data.draw(st.lists(st.sampled_from(rows), max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        stores = [create_store(Path(folder, "s"), ENCODER) for _ in range(2)]
        writers = [StoreWriter(store) for store in stores]
        for of, number in (*rows, *again):
            which = data.draw(st.integers(0, 1))
            writers[which].add(of, number, 10.0 * number, 10.0 * number + 10, vectors(of, number))
            what = data.draw(st.sampled_from(["go on", "go on", "flush", "compact", "finish"]))
            if what == "flush":
                writers[which].flush()
            elif what == "compact":
                compact(stores[which])
            elif what == "finish":
                writers[which].finish(of, totals[of])
        for of, total in totals.items():
            writers[0].finish(of, total)
        for writer in writers:
            writer.flush()
        check(open_store(Path(folder, "s")), totals)
        for each in stores:
            compact(each)
            check(each, totals)
        store = open_store(Path(folder, "s"))
        check(store, totals)
        assert len(part_files(store)) == 1
        assert pq.read_metadata(part_files(store)[0]).num_rows == len(rows)


WRITER = """
import sys
sys.path.insert(0, {tests!r})
from test_store import *
store = create_store(Path({root!r}), ENCODER)
for round_ in range(12):
    for item in {items!r}:
        put(store, unit(item), [round_], 12 if round_ == 11 else None)
    compact(store)
"""


def test_two_processes_that_write_and_merge_at_once_lose_nothing(tmp_path):
    root = tmp_path / "s.store"
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER.format(tests=str(Path(__file__).parent), root=str(root), items=items)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for items in ("abc", "bcd")
    ]
    for run in runs:
        _, said = run.communicate(timeout=120)
        assert run.returncode == 0, said
    store = open_store(root)
    check(store, dict.fromkeys(map(unit, "abcd"), 12))
    compact(store)
    check(store, dict.fromkeys(map(unit, "abcd"), 12))
    assert len(part_files(store)) == 1


def test_a_part_may_be_merged_away_as_soon_as_it_is_written(store, monkeypatch):
    put(store, unit("a"), [0], 1)
    write = parts.write_parquet

    def write_and_lose(*args):
        monkeypatch.undo()
        write(*args)
        compact(open_store(store.root))

    monkeypatch.setattr(parts, "write_parquet", write_and_lose)
    put(store, unit("b"), [0], 1)
    check(store, {unit("a"): 1, unit("b"): 1})
    assert len(part_files(store)) == len(store.parts) == 1


def test_only_one_process_merges_at_a_time(store, monkeypatch):
    put(store, unit("a"), [0], 1)
    put(store, unit("b"), [0], 1)
    merging = threading.Event()
    overlaps = []
    merge = compaction._merge

    def slow_merge(*args):
        overlaps.append(merging.is_set())
        merging.set()
        merge(*args)
        merging.clear()

    monkeypatch.setattr(compaction, "_merge", slow_merge)
    threads = [threading.Thread(target=compact, args=(open_store(store.root),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == [False]  # the others find it done


def test_without_locks_nothing_is_merged(store, monkeypatch):
    def refuse(_):
        raise OSError(errno.ENOLCK, "no locks available")

    put(store, unit("a"), [0], 1)
    put(store, unit("b"), [0], 1)
    monkeypatch.setattr("abxfast.store.lock._wait_for", refuse)
    compact(store)
    assert len(part_files(store)) == 2
    check(store, {unit("a"): 1, unit("b"): 1})


def test_the_newest_complete_unit_counts_and_what_it_replaces_goes(store):
    old, new = unit(content="old"), unit(content="new")
    put(store, old, [0, 1], 2)
    put(store, new, [0])
    check(store, {old: 2})  # until the new one is complete
    compact(store)
    check(store, {old: 2})
    put(store, new, [1, 2], 3)
    check(store, {new: 3})
    compact(store)
    check(open_store(store.root), {new: 3})
    assert old.key(ENCODER.sha256) not in store.entries
    (part,) = part_files(store)
    assert pq.read_metadata(part).num_rows == 3


def test_what_is_confirmed_counts_again(store):
    first, second = unit(content="first"), unit(content="second")
    put(store, first, [0], 1)
    put(store, second, [0, 1], 2)
    put(store, replace(first, mtime_ns=5), [], 1)
    check(store, {first: 1})
    compact(store)
    (state,) = open_store(store.root).complete(10.0)
    assert state.entry == replace(first, mtime_ns=5)


def test_a_clock_that_was_ahead_does_not_keep_old_content(store, monkeypatch):
    monkeypatch.setattr("time.time_ns", lambda: 2**62)
    put(store, unit(content="old"), [0], 1)
    monkeypatch.undo()
    put(open_store(store.root), unit(content="new"), [0], 1)
    check(open_store(store.root), {unit(content="new"): 1})


def test_dropped_units_go_and_others_stay(store):
    put(store, unit("a"), [0, 1], 2)
    with StoreWriter(store) as writer:
        for item in "bc":
            writer.add(unit(item), 0, 0.0, 10.0, vectors(unit(item), 0))
        writer.finish(unit("c"), 1)
    compact(store, drop={unit("b").key(ENCODER.sha256)})
    assert {state.entry.item for state in open_store(store.root).entries.values()} == {"a", "c"}
    check(open_store(store.root), {unit("a"): 2, unit("c"): 1})


def test_a_total_without_its_rows_is_not_complete(store):
    with StoreWriter(store) as writer:
        writer.add(unit(), 0, 0.0, 10.0, vectors(unit(), 0))
        writer.finish(unit(), 2)
        writer.flush()
        assert open_store(store.root).lengths() == []
        writer.add(unit(), 1, 10.0, 20.0, vectors(unit(), 1))
    check(open_store(store.root), {unit(): 2})


def test_large_parts_are_left_alone(store, monkeypatch):
    put(store, unit("a"), range(50), 50)
    put(store, unit("b"), [0], 1)
    put(store, unit("c"), [0], 1)
    sizes = sorted(path.stat().st_size for path in part_files(store))
    monkeypatch.setattr(compaction, "SMALL_PART_BYTES", sizes[-1])
    large = max(part_files(store), key=lambda path: path.stat().st_size)
    before = large.stat().st_mtime_ns, large.stat().st_ino
    compact(store)
    assert len(part_files(store)) == 2
    assert (large.stat().st_mtime_ns, large.stat().st_ino) == before
    check(store, {unit("a"): 50, unit("b"): 1, unit("c"): 1})


def test_merged_parts_do_not_become_large(store, monkeypatch):
    for item in "abcdef":
        put(store, unit(item), [0, 1], 2)
    size = part_files(store)[0].stat().st_size
    monkeypatch.setattr(compaction, "MERGED_PART_BYTES", 3 * size + size // 2)
    compact(store)
    assert len(part_files(store)) == 2
    check(open_store(store.root), dict.fromkeys(map(unit, "abcdef"), 2))


@pytest.mark.parametrize("how", ["cut short", "garbage", "empty", "flipped"])
def test_a_damaged_part_is_named_and_can_be_done_again(store, how):
    put(store, unit("a"), range(40), 40)
    put(store, unit("b"), range(40), 40)
    path = part_files(store)[0]
    content = bytearray(path.read_bytes())
    if how == "flipped":  # a bit of a vector: the footer knows nothing of it
        spot = content.index(vectors(open_store(store.root).entries[lost_key(path)].entry, 7)[0].tobytes())
        content[spot] ^= 1
    made = {"cut short": content[:-100], "garbage": b"x" * len(content), "empty": b"", "flipped": content}[how]
    path.write_bytes(bytes(made))
    with pytest.raises(StoreError, match="damaged") as caught:
        open_store(store.root).read(10.0, "v.max")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    path.unlink()
    store = open_store(store.root)
    assert len(store.complete(10.0)) == 1
    for item in "ab":
        put(store, unit(item), range(40), 40)
    compact(store)
    check(open_store(store.root), {unit("a"): 40, unit("b"): 40})


def lost_key(path):
    return parts.read_meta(path)["spans"][0][0]


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
    put(store, unit(), [0], 1)
    (path,) = part_files(store)
    meta = parts.read_meta(path)
    change(meta)
    parts.write_parquet(path, parts.read_columns(path), meta)
    with pytest.raises(StoreError, match=rf"{path.name}: is damaged"):
        open_store(store.root)


@pytest.mark.parametrize(
    ("meta", "said"), [({"format": 99}, "format 99"), ({"encoder_sha256": "f" * 64}, "another encoder")]
)
def test_a_part_of_another_kind_is_named(store, meta, said):
    put(store, unit(), [0], 1)
    (path,) = part_files(store)
    parts.write_parquet(path, parts.read_columns(path), {**parts.read_meta(path), **meta})
    with pytest.raises(StoreError, match=said):
        open_store(store.root)


def test_a_parquet_file_of_someone_else_is_named(store):
    (store.root / "parts").mkdir()
    pq.write_table(pa.table({"x": [1]}), store.root / "parts" / "theirs.parquet")
    with pytest.raises(StoreError, match=r"theirs\.parquet: is damaged"):
        open_store(store.root)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX errors")
def test_what_cannot_be_read_is_not_called_damaged(store, monkeypatch):
    put(store, unit(), [0], 1)

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(pq, "ParquetFile", refuse)
    with pytest.raises(StoreError, match="cannot be read") as caught:
        open_store(store.root)
    assert "delete" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
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
def test_a_header_that_is_missing_or_garbled(store, text, said):
    path = store.root / "store.json"
    if text is None:
        path.unlink()
    elif isinstance(text, dict):
        path.write_text(json.dumps({**json.loads(path.read_text()), **text}))
    else:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(StoreError, match=said) as caught:
        open_store(store.root)
    assert str(store.root) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_a_store_is_left_as_it_is(tmp_path):
    with pytest.raises(StoreError, match="no such store"):
        open_store(tmp_path / "none")
    file = tmp_path / "file"
    file.write_text("text")
    for act in (open_store, lambda root: create_store(root, ENCODER)):
        with pytest.raises(StoreError, match="is not a store"):
            act(file)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "thesis.doc").write_text("text")
    with pytest.raises(StoreError, match="is not a store"):
        create_store(folder, ENCODER)
    assert [path.name for path in folder.iterdir()] == ["thesis.doc"]


def test_an_empty_folder_becomes_a_store_also_after_a_crash(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in (".DS_Store", ".lock", ".aside-1-00"):  # the last two: killed before store.json was there
        (folder / name).touch()
    put(create_store(folder, ENCODER), unit(), [0], 1)
    check(open_store(folder), {unit(): 1})


def test_a_second_encoder_is_refused(store):
    same_name = SimpleNamespace(info=INFO, sha256="f" * 64, dim=DIM)
    with pytest.raises(StoreError, match="another file of this name"):
        create_store(store.root, same_name)
    with pytest.raises(StoreError, match="found 'small', asked for 'big'"):
        create_store(store.root, SimpleNamespace(info=replace(INFO, name="big"), sha256="f" * 64, dim=DIM))


def test_who_comes_second_does_not_replace_the_header(tmp_path, monkeypatch):
    root = tmp_path / "s"
    locked = store_module.locked

    def overtaken(folder):
        monkeypatch.setattr(store_module, "locked", locked)
        create_store(root, SimpleNamespace(info=INFO, sha256="f" * 64, dim=DIM))
        return locked(folder)

    monkeypatch.setattr(store_module, "locked", overtaken)
    with pytest.raises(StoreError, match="another encoder"):
        create_store(root, ENCODER)


def test_other_programs_read_it_as_it_is(store):
    put(store, unit("a"), [0, 1], 2)
    put(store, unit("b", WHOLE), [0], 1)
    (store.root / "parts" / ".aside-1-00").write_bytes(b"half a part")
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
    assert np.float32(rows[1]["v.mean"]).tolist() == vectors(unit("a"), 1)[1].tolist()


def test_beyond_the_memory_budget_it_is_the_same(store, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    put(store, unit("a"), range(9), 9)
    put(store, unit("b"), range(4), 4)
    held, mapped = store.read(10.0, "v.max"), store.read(10.0, "v.max", memory_mb=0)
    assert isinstance(mapped.embeddings, np.memmap)
    assert not isinstance(held.embeddings, np.memmap)
    np.testing.assert_array_equal(held.embeddings, mapped.embeddings)
    assert [path.name for path in tmp_path.iterdir()] == ["s.store"]  # the scratch file has no name


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs posix_fallocate")
def test_no_room_for_scratch_is_an_error_not_a_crash(store, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    put(store, unit(), [0], 1)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StoreError, match="No space left on device"):
        store.read(10.0, "v.max", memory_mb=0)


def test_read_takes_the_items_that_are_asked_for(store):
    for item in "abc":
        put(store, unit(item), [0, 1], 2)
    found = store.read(10.0, "v.max", items={"c", "a", "unknown"})
    assert found.items == ["a", "a", "c", "c"]
    np.testing.assert_array_equal(found.embeddings[2:], [vectors(unit("c"), n)[0] for n in (0, 1)])
    assert len(store.read(3.0, "v.max").items) == 0
    with pytest.raises(StoreError, match=r"no variant 'v\.min'"):
        store.read(10.0, "v.min")


def test_a_reader_that_is_overtaken_by_a_merge_looks_again(store):
    put(store, unit("a"), [0, 1], 2)
    put(store, unit("b"), [0], 1)
    reader = open_store(store.root)
    compact(open_store(store.root))
    check(reader, {unit("a"): 2, unit("b"): 1})


def test_a_part_that_goes_while_footers_are_read_is_no_error(store, monkeypatch):
    put(store, unit("a"), [0, 1], 2)
    put(store, unit("b"), [0], 1)
    read_meta = parts.read_meta

    def overtaken(path):
        monkeypatch.setattr(parts, "read_meta", read_meta)
        compact(store)
        return read_meta(path)

    other = open_store(store.root)
    monkeypatch.setattr(parts, "read_meta", overtaken)
    other.refresh()
    check(other, {unit("a"): 2, unit("b"): 1})


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_a_link_to_nowhere_does_not_hang(store):
    put(store, unit(), [0], 1)
    (store.root / "parts" / "x.parquet").symlink_to("nowhere")
    with pytest.raises(StoreError, match=r"x\.parquet: is listed but not there"):
        open_store(store.root)


def manifest(tmp_path, **labels):
    items = [Item(name, name, tmp_path / "audio" / name, labels={"tone": tone}) for name, tone in labels.items()]
    return Manifest(tuple(items), ("tone",))


def test_copies_of_manifests_merge_and_the_newest_counts(store, tmp_path):
    store.put_manifest(manifest(tmp_path, a="high", b="low"))
    store.put_manifest(manifest(tmp_path, b="rising", c=None))
    assert {name: row["tone"] for name, row in store.rows().items()} == {"a": "high", "b": "rising", "c": None}
    assert store.rows()["a"]["path"] == "audio/a"
    assert store.metadata_columns() == ["tone"]
    store.put_manifest(manifest(tmp_path, a="high", b="low"))  # back to the first: it counts again
    assert store.rows()["b"]["tone"] == "low"
    store.put_manifest(manifest(tmp_path, a="1", b="2", c="3"))
    assert {name: row["tone"] for name, row in store.rows().items()} == {"a": "1", "b": "2", "c": "3"}
    copies = list((store.root / "manifests").iterdir())
    assert len(copies) == 1
    store.put_manifest(manifest(tmp_path, a="1", b="2", c="3"))
    assert list((store.root / "manifests").iterdir()) == copies
    copies[0].write_bytes(b"")
    with pytest.raises(StoreError, match=f"{copies[0].name}: is damaged"):
        store.rows()


def test_a_copy_that_is_replaced_while_it_is_read_is_no_error(store, tmp_path, monkeypatch):
    store.put_manifest(manifest(tmp_path, a="high"))
    read_meta = parts.read_meta

    def overtaken(path):
        monkeypatch.setattr(parts, "read_meta", read_meta)
        open_store(store.root).put_manifest(manifest(tmp_path, a="low"))
        return read_meta(path)

    monkeypatch.setattr(parts, "read_meta", overtaken)
    assert store.rows()["a"]["tone"] == "low"


@pytest.mark.parametrize("call", ["fsync", "replace", "mkdir"])
def test_a_full_disk_is_one_line_and_leaves_nothing_behind(store, monkeypatch, call):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    put(store, unit("a"), [0], 1)
    before = sorted(path for path in store.root.rglob("*"))
    monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (Path, "replace"), "mkdir": (Path, "mkdir")}[call], full)
    with pytest.raises(StoreError, match="No space left on device") as caught:
        put(store, unit("b"), [0], 1)
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert sorted(path for path in store.root.rglob("*")) == before
    check(open_store(store.root), {unit("a"): 1})


def test_an_interrupted_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        parts.write_atomic(tmp_path / "x", b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_synced_does_not_stop_the_work(tmp_path, monkeypatch):
    fsync = os.fsync

    def only_files(number):
        if os.path.isdir(f"/proc/self/fd/{number}"):  # noqa: PTH112
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(number)

    monkeypatch.setattr(os, "fsync", only_files)
    parts.write_atomic(tmp_path / "x", b"x")
    assert (tmp_path / "x").read_bytes() == b"x"


def test_a_file_that_a_scanner_holds_open_is_tried_again(tmp_path, monkeypatch):
    tries = []
    replace_ = Path.replace

    def held(self, target):
        tries.append(target)
        if len(tries) < 3:
            raise PermissionError(errno.EACCES, "Access is denied")
        return replace_(self, target)

    aside, target = tmp_path / "aside", tmp_path / "target"
    aside.touch()
    monkeypatch.setattr(Path, "replace", held)
    monkeypatch.setattr(parts.time, "sleep", lambda _: None)
    with pytest.raises(PermissionError):  # elsewhere it is what it says
        parts._rename(aside, target)
    monkeypatch.setattr(parts, "os", SimpleNamespace(name="nt"))
    parts._rename(aside, target)
    assert target.exists()


def test_only_old_asides_are_removed(store):
    (store.root / "parts").mkdir()
    old, fresh = store.root / "parts" / ".aside-1-00", store.root / "parts" / ".aside-2-00"
    above = store.root / ".aside-3-00"
    for path in (old, fresh, above):
        path.touch()
    for path in (old, above):
        os.utime(path, (1, 1))
    compact(store)
    assert not old.exists()
    assert not above.exists()
    assert fresh.exists()


def test_the_footers_of_many_tokens_stay_small(store):
    tokens = [unit(f"recordings/speaker-{n % 20}.wav#{n}-{n + 0.4}", WHOLE) for n in range(2_000)]
    with StoreWriter(store) as writer:
        for token in tokens:
            writer.add(token, 0, 0.0, 0.4, np.zeros((len(VARIANTS), DIM), np.float32))
            writer.finish(token, 1)
    compact(store)
    (part,) = part_files(store)
    assert part.stat().st_size < 250 * len(tokens)
    assert len(store.complete(None)) == len(tokens)
