"""Disks that are full, folders that may not be read or written, files that killed processes leave."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from noise_recordings import read_content, write_noise

from abxfast import _files
from abxfast._files import atomic
from abxfast.embedding import embed
from abxfast.errors import StudyError
from abxfast.study.results_folder import ResultCache

if TYPE_CHECKING:
    from collections.abc import Iterator

WITHOUT_PRIVILEGES = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all")
"""Root obeys permissions then as any other user does."""


def abxfast(*words: object, stdout: object = subprocess.PIPE) -> tuple[int, str, str]:
    """Run a command line in a process of its own, without the privileges of root."""
    code = f"import sys; sys.argv = {['abxfast', *map(str, words)]!r}; from abxfast.cli import main; main()"
    prefix = WITHOUT_PRIVILEGES if os.geteuid() == 0 else ()
    done = subprocess.run([*prefix, sys.executable, "-c", code], stdout=stdout, stderr=subprocess.PIPE, check=False)
    err = done.stderr.decode()
    assert "Traceback" not in err, err
    return done.returncode, (done.stdout or b"").decode(), err


@pytest.fixture(scope="module", autouse=True)
def _can_drop_privileges() -> None:
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv")
        probe = subprocess.run([*WITHOUT_PRIVILEGES, "true"], check=False, stderr=subprocess.DEVNULL)
        if probe.returncode:
            pytest.skip("may not drop privileges")


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    for n in range(3):
        write_noise(tmp_path / "audio" / f"r{n}.wav", 4.2, seed=n)
    return tmp_path / "audio"


@pytest.fixture
def tmpfs() -> Iterator[Path]:
    """A disk of 400 kB."""
    folder = Path(tempfile.mkdtemp())
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", folder], check=False, stderr=subprocess.DEVNULL
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip("may not mount a disk")
    yield folder
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


@pytest.mark.parametrize("free_kb", [0, 20, 44])
def test_a_full_disk_is_said_and_a_rerun_goes_on(audio: Path, tmpfs: Path, tmp_path: Path, free_kb: int) -> None:
    words = ("embed", audio, "-o", tmpfs / "s.store", "--snippet", "0.1")
    (tmpfs / "ballast").write_bytes(bytes(shutil.disk_usage(tmpfs).free - 1024 * free_kb))
    status, _, err = abxfast(*words)
    if status != 0:
        assert status == 1
        assert "the disk is full" in err or "No space left" in err
        assert "free" in err or "are left: remove or move files" in err
    (tmpfs / "ballast").unlink()
    assert abxfast(*words)[0] == 0
    embed(audio, tmp_path / "whole.store", snippets=[0.1])
    assert read_content(tmpfs / "s.store") == read_content(tmp_path / "whole.store")


def test_a_finished_store_on_a_full_disk_is_no_error(audio: Path, tmpfs: Path) -> None:
    words = ("embed", audio, "-o", tmpfs / "s.store", "--snippet", "0.5")
    embed(audio, tmpfs / "s.store", snippets=[0.5])
    (tmpfs / "ballast").write_bytes(bytes(shutil.disk_usage(tmpfs).free))
    status, _, err = abxfast(*words)
    assert (status, err.count("Traceback")) == (0, 0), err
    assert "3 recordings" in err
    assert "in the store already" in err


def test_a_compaction_that_finds_no_room_is_put_off(audio: Path, tmp_path: Path, run, monkeypatch) -> None:
    from abxfast.embedding import pipeline
    from abxfast.errors import OutputError, StoreError

    def full(*_: object, **__: object) -> None:
        raise StoreError("s.store: cannot be written") from OutputError("s.store: cannot be written")

    monkeypatch.setattr(pipeline, "compact", full)
    status, _, err = run("embed", audio, "-o", tmp_path / "s.store", "--snippet", "1")
    assert status == 0
    assert "small files were not merged" in err
    monkeypatch.setattr(pipeline, "compact", lambda *_, **__: (_ for _ in ()).throw(StoreError("part: is damaged")))
    assert run("embed", audio, "-o", tmp_path / "s.store", "--snippet", "1")[0] == 2


def test_standard_output_on_a_full_disk_is_said_in_one_line(audio: Path, tmp_path: Path) -> None:
    embed(audio, tmp_path / "s.store", snippets=[1])
    for words in (("score",), ("score", "--json"), ("info",)):
        with open("/dev/full", "wb") as full:  # noqa: PTH123
            status, _, err = abxfast(words[0], tmp_path / "s.store", *words[1:], stdout=full)
        assert status == 1
        assert err == "abxfast: standard output: cannot be used (No space left on device)\n"


@pytest.mark.parametrize(
    ("folder", "command"),
    [
        ("audio", "embed"),
        ("audio/inner", "embed"),
        ("s.store", "score"),
        ("s.store/parts", "score"),
        ("s.store/parts", "embed"),
        ("s.store/manifests", "info"),
    ],
)
def test_a_folder_that_may_not_be_read_is_named(audio: Path, tmp_path: Path, folder: str, command: str) -> None:
    write_noise(audio / "inner" / "deep.wav", 2.2)
    store = tmp_path / "s.store"
    embed(audio, store, snippets=[1])
    words = ("embed", audio, "-o", store, "--snippet", "1") if command == "embed" else (command, store)
    (tmp_path / folder).chmod(0)
    try:
        status, _, err = abxfast(*words)
    finally:
        (tmp_path / folder).chmod(0o755)
    assert status == 2
    assert str(tmp_path / folder) in err


def test_a_store_that_may_not_be_written_is_named(audio: Path, tmp_path: Path) -> None:
    store = tmp_path / "s.store"
    words = ("embed", audio, "-o", store, "--snippet", "1")
    embed(audio, store, snippets=[1])
    write_noise(audio / "new.wav", 2.2)
    for folder in (store, store / "parts", store / "manifests"):
        folder.chmod(0o555)
    try:
        status, _, err = abxfast(*words)
        assert status == 2
        assert "Permission denied" in err
        assert abxfast("score", store)[0] == 0
    finally:
        for folder in (store, store / "parts", store / "manifests"):
            folder.chmod(0o755)


def test_four_processes_on_one_store_one_of_them_killed(audio: Path, tmp_path: Path, n_kills: int) -> None:
    store = tmp_path / "s.store"
    code = (
        "import sys; sys.argv = ['abxfast', 'embed', sys.argv[1], '-o', sys.argv[2], '--snippet', '0.1', "
        "'--threads', '1']; from abxfast.cli import main; main()"
    )
    for _ in range(max(1, n_kills // 10)):
        shutil.rmtree(store, ignore_errors=True)
        processes = [
            subprocess.Popen([sys.executable, "-c", code, audio, store], stderr=subprocess.DEVNULL) for _ in range(4)
        ]
        with contextlib.suppress(subprocess.TimeoutExpired):
            processes[0].wait(2.0)
        processes[0].kill()
        assert [process.wait() for process in processes[1:]] == [0, 0, 0]
        processes[0].wait()
    embed(audio, tmp_path / "whole.store", snippets=[0.1])
    assert read_content(store)[0] == read_content(tmp_path / "whole.store")[0]


def test_temporary_files_of_a_process_that_is_gone_are_removed(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    names = {
        "gone": f"{atomic.TEMPORARY_PREFIX}{gone.pid}-00ff00ff",
        "fresh": f"{atomic.TEMPORARY_PREFIX}{gone.pid}-11ff00ff",
        "running": f"{atomic.TEMPORARY_PREFIX}{os.getpid()}-00ff00ff",
    }
    (tmp_path / "parts").mkdir()
    for kind, name in names.items():
        path = tmp_path / "parts" / name
        path.write_bytes(b"half")
        if kind != "fresh":
            stamp = path.stat().st_mtime - 100
            os.utime(path, (stamp, stamp))
    _files.remove_stale(tmp_path)
    assert {path.name for path in (tmp_path / "parts").iterdir()} == {names["fresh"], names["running"]}


def test_folders_of_an_export_that_was_killed_are_removed(tmp_path: Path) -> None:
    from abxfast.export import staging

    target = tmp_path / "e[1].onnx"
    code = (
        "import os, sys; from pathlib import Path; from abxfast.export.staging import staged_path\n"
        "with staged_path(Path(sys.argv[1])) as path: path.write_bytes(b'half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, target], check=False)
    (left,) = tmp_path.iterdir()
    os.utime(left, (1, 1))
    with staging.staged_path(target) as path:
        assert not left.exists()
        os.utime(path.parent, (1, 1))
        with staging.staged_path(target):  # another one that runs keeps its folder
            assert path.parent.exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        ('{"cells": []}', False),
        ("[]", False),
        ("null", False),
        ('{"sha256": "0", "result": {}}', True),
        ('{"sha256": 1}', True),
        ("{", True),
        ("[" * 100_000, True),
    ],
)
def test_a_cached_result_that_was_changed_is_never_used(tmp_path: Path, text: str, is_refused: bool) -> None:
    def value() -> dict[str, list[float]]:
        return {"cells": [0.1, float("nan"), 1e-300]}

    cached = ResultCache(tmp_path).get("name", ["key"], value)
    assert ResultCache(tmp_path).get("name", ["key"], lambda: pytest.fail("computed again")) == cached
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text().replace("0.1", "0.2"))
    with pytest.raises(StudyError, match=f"{path.name}: was changed; delete it"):
        ResultCache(tmp_path).get("name", ["key"], value)
    path.write_text(text)
    if is_refused:
        with pytest.raises(StudyError, match="delete it"):
            ResultCache(tmp_path).get("name", ["key"], value)
    else:
        assert ResultCache(tmp_path).get("name", ["key"], value) == cached


@pytest.mark.parametrize("name", ["\x1b]0;owned\x07.wav", "\x1b[2J.wav", "\x9b31m.wav", "a\rb.wav", "\u202egnp.wav"])
def test_a_name_cannot_give_orders_to_a_terminal(tmp_path: Path, run, name: str) -> None:
    import io

    from rich.console import Console

    from abxfast.cli.score_table import print_scores
    from abxfast.embedding import Progress, progress_bar
    from abxfast.scoring import score_store

    for other in (name, "ok.wav"):
        write_noise(tmp_path / "audio" / other, 3.2, seed=len(other))
    (tmp_path / "audio" / f"bad{name}").write_bytes(b"junk")
    status, _, err = run("embed", tmp_path / "audio", "-o", tmp_path / "s.store", "--snippet", "1")
    assert status == 1
    table, bar = io.StringIO(), io.StringIO()
    print_scores(score_store(tmp_path / "s.store"), Console(file=table, width=100))
    console = Console(file=bar, force_terminal=True, width=100)
    with progress_bar(console) as update:
        update(Progress(name, 1.0, 2.0, 1.0))
    _, info, _ = run("info", tmp_path / "s.store")
    for text in (err, table.getvalue(), info):
        assert not {"\x1b", "\x9b", "\r", "\x07", "\u202e"} & set(text)
    assert name[:-4] not in bar.getvalue()
