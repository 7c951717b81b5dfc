import pytest
from small_store import WHOLE, check_store, make_entry, make_manifest, part_files, write_entry

from abxfast.errors import StoreError
from abxfast.store import EntryCopy, compact, copy_entries, forget, forgetting, open_store


@pytest.fixture
def filled(store, tmp_path):
    store.save_manifest(make_manifest(tmp_path, a="high", b="low"))
    store.save_manifest(make_manifest(tmp_path, c="low"))
    for item in "abc":
        write_entry(store, make_entry(item), [0, 1], 2)
        write_entry(store, make_entry(item, WHOLE), [0], 1)
    return store


def test_vectors_and_rows_go_and_others_stay(filled):
    forgotten = forget(filled, ["a", "c.wav"])  # an item, and a recording
    assert forgotten == (["a", "c"], 6)
    store = open_store(filled.root)
    check_store(store, {make_entry("b"): 2, make_entry("b", WHOLE): 1})
    assert list(store.manifest_rows()) == ["b"]
    assert len(part_files(store)) == 1
    forget(store, ["b"])
    assert (store.entries, part_files(store), store.manifest_rows(), store.lengths()) == ({}, [], {}, [])
    write_entry(store, make_entry("b"), [0, 1], 2)  # it can come back
    check_store(store, {make_entry("b"): 2})


def test_the_path_of_a_file_names_its_recording(filled, monkeypatch):
    monkeypatch.chdir(filled.root.parent)
    assert forget(filled, ["audio/a"]).items == ["a"]  # as in the manifest


def test_an_unknown_name_removes_nothing(filled):
    with pytest.raises(
        StoreError, match=r"holds no recording or item 'd', 'e'; nothing was removed; it holds a.wav, b"
    ):
        forget(filled, ["a", "d", "e"])
    assert len(open_store(filled.root).complete_entries(10.0)) == 3


def test_it_can_be_interrupted_and_repeated(filled, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(forgetting, "compact", stop)
    with pytest.raises(KeyboardInterrupt):
        forget(filled, ["a"])
    monkeypatch.undo()
    assert "a" not in filled.manifest_rows()  # so that it is not scored any more
    assert forget(filled, ["a"]) == (["a"], 3)


def test_a_drive_without_locks_is_named(filled, monkeypatch):
    monkeypatch.setattr(forgetting, "compact", lambda *_, **__: False)
    with pytest.raises(StoreError, match="without locks"):
        forget(filled, ["a"])


def test_what_was_renamed_and_not_removed_yet_goes_too(filled):
    copy_entries(filled, [EntryCopy(key, make_entry("z", state.entry.plan), True) for key, state in _of(filled, "a")])
    assert {item for item, _ in filled.current_entries()} == {"b", "c", "z"}
    forget(filled, ["z"])
    store = open_store(filled.root)
    assert {state.entry.item for state in store.entries.values()} == {"b", "c"}


def test_a_renamed_entry_replaces_the_old_one_only_once_it_is_complete(store):
    write_entry(store, make_entry("a"), [0, 1], 2)
    source = make_entry("a").key(store.encoder_sha256)
    write_entry(store, make_entry("b"), [0], None)
    store.entries[make_entry("b").key(store.encoder_sha256)].replaces[source] = store.next_timestamp_ns()
    assert {state.entry.item for state in store.complete_entries(10.0)} == {"a"}
    store.entries[make_entry("b").key(store.encoder_sha256)].total = 1
    assert {state.entry.item for state in store.complete_entries(10.0)} == {"b"}


def test_an_entry_that_is_written_again_after_it_was_renamed_counts(store):
    write_entry(store, make_entry("a"), [0], 1)
    copy_entries(store, [EntryCopy(make_entry("a").key(store.encoder_sha256), make_entry("b"), True)])
    compact(store)
    write_entry(store, make_entry("a"), [0], 1)
    write_entry(store, make_entry("b"), [], 1)  # confirmed later
    reread = open_store(store.root)
    assert {state.entry.item for state in reread.complete_entries(10.0)} == {"a", "b"}


def _of(store, item):
    return [(key, state) for key, state in store.entries.items() if state.entry.item == item]
