import errno
import os
import subprocess
import sys
import threading

import pytest
from small_store import check_store, make_entry, part_files, write_entry

from abxfast.errors import StoreError
from abxfast.store import compact
from abxfast.store.lock import lock_folder

HOLD = """
import sys
from pathlib import Path
from abxfast.store.lock import lock_folder
with lock_folder(Path(sys.argv[1])) as locked:
    print("held" if locked else "not held", flush=True)
    sys.stdin.read()
"""
HOLD_WITH_FLOCK = """
import fcntl, sys
with open(sys.argv[1] + "/.lock", "ab") as file:  # as abxfast 0.1 does
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""
posix_only = pytest.mark.skipif(os.name == "nt", reason="needs flock")
HOLDERS = [HOLD, pytest.param(HOLD_WITH_FLOCK, marks=posix_only)]


def start_holder(program, folder):
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def start_waiting(folder):
    acquired = threading.Event()

    def wait():
        with lock_folder(folder) as locked:
            assert locked
            acquired.set()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread, acquired


@pytest.mark.parametrize("program", HOLDERS)
@pytest.mark.parametrize("end", ["exits", "is killed"])
def test_a_process_waits_until_the_holder_ends(tmp_path, program, end):
    (tmp_path / "s").mkdir()
    holder = start_holder(program, tmp_path / "s")
    waiters = [start_waiting(tmp_path / "s") for _ in range(3)]
    assert not any(acquired.wait(0.2) for _, acquired in waiters)
    if end == "exits":
        holder.stdin.close()
    else:
        holder.kill()
    for thread, acquired in waiters:
        assert acquired.wait(30)
        thread.join()
    holder.wait()
    holder.stdout.close()
    holder.stdin.close()


@posix_only
def test_abxfast_0_1_waits_for_the_lock(tmp_path):
    with lock_folder(tmp_path) as locked:
        assert locked
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD_WITH_FLOCK, str(tmp_path)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        with pytest.raises(subprocess.TimeoutExpired):
            holder.wait(0.5)
    assert holder.communicate(timeout=30)[0] == b"held\n"


def test_the_lock_file_stays(tmp_path):
    """If it were removed, a process that has opened it and one that creates it anew would both hold the lock."""
    with lock_folder(tmp_path / "new" / "folder"):
        inode = (tmp_path / "new" / "folder" / ".lock").stat().st_ino
    with lock_folder(tmp_path / "new" / "folder"):
        assert (tmp_path / "new" / "folder" / ".lock").stat().st_ino == inode
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == [".lock"]


@posix_only
@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL, errno.EIO])
def test_without_locks_nothing_is_merged_and_nothing_hangs(store, monkeypatch, code):
    import fcntl

    def refuse(*_):
        raise OSError(code, os.strerror(code))

    write_entry(store, make_entry("a"), [0], 1)
    write_entry(store, make_entry("b"), [0], 1)
    monkeypatch.setattr(fcntl, "flock", refuse)
    with lock_folder(store.root) as locked:
        assert not locked
    compact(store)
    assert len(part_files(store)) == 2
    assert sorted(path.name for path in store.root.iterdir() if path.is_file()) == [".lock", "store.json"]
    check_store(store, {make_entry("a"): 1, make_entry("b"): 1})


@pytest.mark.parametrize("obstacle", ["file", "folder"])
def test_a_folder_that_cannot_be_written_is_an_error_in_one_line(tmp_path, obstacle):
    if obstacle == "file":
        (tmp_path / "s").touch()
    else:
        (tmp_path / "s" / ".lock").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"s: cannot be written \(") as caught, lock_folder(tmp_path / "s"):
        pass
    assert "\n" not in str(caught.value)


def test_an_error_inside_the_block_releases_the_lock(tmp_path):
    with pytest.raises(ZeroDivisionError), lock_folder(tmp_path):
        raise ZeroDivisionError
    thread, acquired = start_waiting(tmp_path)
    assert acquired.wait(30)
    thread.join()
