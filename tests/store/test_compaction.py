import os
import subprocess
import sys
import threading
from pathlib import Path

from small_store import ENCODER, check_store, make_entry, make_vectors, part_files, write_entry

from abxfast.store import StoreWriter, compact, compaction, open_store
from abxfast.store import parquet as parquet_module

WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from small_store import ENCODER, make_entry, write_entry
from abxfast.store import compact, create_store
store = create_store(Path({root!r}), ENCODER)
for number in range(12):
    for item in {items!r}:
        write_entry(store, make_entry(item), [number], 12 if number == 11 else None)
    compact(store)
"""


def test_two_processes_that_write_and_merge_at_once_lose_nothing(tmp_path):
    root = tmp_path / "s.store"
    tests = str(Path(__file__).parents[1])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER.format(tests=tests, root=str(root), items=items)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for items in ("abc", "bcd")
    ]
    for process in processes:
        _, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
    store = open_store(root)
    check_store(store, dict.fromkeys(map(make_entry, "abcd"), 12))
    compact(store)
    check_store(store, dict.fromkeys(map(make_entry, "abcd"), 12))
    assert len(part_files(store)) == 1


def test_a_part_may_be_merged_as_soon_as_it_is_written(store, monkeypatch):
    write_entry(store, make_entry("a"), [0], 1)
    write_parquet = parquet_module.write_parquet

    def write_and_merge(*args):
        monkeypatch.undo()
        write_parquet(*args)
        compact(open_store(store.root))

    monkeypatch.setattr(parquet_module, "write_parquet", write_and_merge)
    write_entry(store, make_entry("b"), [0], 1)
    check_store(store, {make_entry("a"): 1, make_entry("b"): 1})
    assert len(part_files(store)) == len(store.parts) == 1


def test_only_one_process_merges_at_a_time(store, monkeypatch):
    write_entry(store, make_entry("a"), [0], 1)
    write_entry(store, make_entry("b"), [0], 1)
    merging = threading.Event()
    overlaps = []
    merge = compaction._merge

    def watched_merge(*args):
        overlaps.append(merging.is_set())
        merging.set()
        merge(*args)
        merging.clear()

    monkeypatch.setattr(compaction, "_merge", watched_merge)
    threads = [threading.Thread(target=compact, args=(open_store(store.root),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == [False]  # the others find it done


def test_dropped_entries_go_and_others_stay(store):
    write_entry(store, make_entry("a"), [0, 1], 2)
    with StoreWriter(store) as writer:
        for item in "bc":
            writer.add(make_entry(item), 0, 0.0, 10.0, make_vectors(make_entry(item), 0))
        writer.finish(make_entry("c"), 1)
    compact(store, drop={make_entry("b").key(ENCODER.sha256)})
    assert {state.entry.item for state in open_store(store.root).entries.values()} == {"a", "c"}
    check_store(open_store(store.root), {make_entry("a"): 2, make_entry("c"): 1})


def test_large_parts_are_not_rewritten(store, monkeypatch):
    write_entry(store, make_entry("a"), range(50), 50)
    write_entry(store, make_entry("b"), [0], 1)
    write_entry(store, make_entry("c"), [0], 1)
    sizes = sorted(path.stat().st_size for path in part_files(store))
    monkeypatch.setattr(compaction, "SMALL_PART_BYTES", sizes[-1])
    large = max(part_files(store), key=lambda path: path.stat().st_size)
    before = large.stat().st_mtime_ns, large.stat().st_ino
    compact(store)
    assert len(part_files(store)) == 2
    assert (large.stat().st_mtime_ns, large.stat().st_ino) == before
    check_store(store, {make_entry("a"): 50, make_entry("b"): 1, make_entry("c"): 1})


def test_merged_parts_do_not_become_large(store, monkeypatch):
    for item in "abcdef":
        write_entry(store, make_entry(item), [0, 1], 2)
    size = part_files(store)[0].stat().st_size
    monkeypatch.setattr(compaction, "MERGED_PART_BYTES", 3 * size + size // 2)
    compact(store)
    assert len(part_files(store)) == 2
    check_store(open_store(store.root), dict.fromkeys(map(make_entry, "abcdef"), 2))


def test_only_old_temporary_files_are_removed(store):
    (store.root / "parts").mkdir()
    old, fresh = store.root / "parts" / ".tmp-1-00", store.root / "parts" / ".tmp-2-00"
    above = store.root / ".tmp-3-00"
    for path in (old, fresh, above):
        path.touch()
    for path in (old, above):
        os.utime(path, (1, 1))
    compact(store)
    assert not old.exists()
    assert not above.exists()
    assert fresh.exists()
