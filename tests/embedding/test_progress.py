import io
import subprocess
import sys

import pytest
from rich.console import Console

from abxfast.embedding import Progress, embed, format_clock, progress_bar


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (4.6, "0:05"), (59.6, "1:00"), (600, "10:00"), (3723, "1:02:03")]
)
def test_a_clock_shows_hours_only_if_there_are_any(seconds, text):
    assert format_clock(seconds) == text


def terminal():
    """A console that writes to memory as to a terminal of 100 columns."""
    return Console(file=io.StringIO(), force_terminal=True, width=100, _environ={"TERM": "xterm"})


def test_a_bar_shows_recording_clock_and_speed_and_disappears():
    console = terminal()
    with progress_bar(console) as update:
        update(Progress("recordings/[bold]one.wav", 30.0, 3600.0, 20.0))
    shown = console.file.getvalue()
    assert "recordings/[bold]one.wav" in shown  # no markup
    assert "0:30 / 1:00:00 of audio" in shown
    assert "× real time" in shown
    assert shown.endswith("\x1b[2K")  # erases its line


def test_embed_shows_a_bar_if_asked(folder, tmp_path, monkeypatch):
    console = terminal()
    monkeypatch.setattr("rich.console.Console", lambda **_: console)
    embed(folder, tmp_path / "s", snippets=[1])
    embed(folder, tmp_path / "s", snippets=[1], progress=False)
    assert console.file.getvalue() == ""
    report = embed(folder, tmp_path / "s", snippets=[1, 2], progress=True)
    assert report.snippets == 2 + 3 + 3
    assert "r2.wav" in console.file.getvalue()
    assert "0:19 / 0:19 of audio" in console.file.getvalue()


@pytest.mark.parametrize("ipywidgets", [True, False])
def test_a_notebook_shows_the_bar_with_or_without_ipywidgets(monkeypatch, ipywidgets):
    from abxfast.embedding import progress

    def make_console(**options):  # as in a notebook, but for the file
        return Console(**{"force_jupyter": True, "_environ": {}, **options, "stderr": False, "file": io.StringIO()})

    monkeypatch.setattr("rich.console.Console", make_console)
    monkeypatch.setattr(progress, "find_spec", lambda _: object() if ipywidgets else None)
    console = progress._default_console()
    assert console.is_jupyter == ipywidgets
    if not ipywidgets:
        with progress_bar(console) as update:
            update(Progress("a.wav", 1.0, 2.0, 1.0))
        assert "0:01 / 0:02 of audio" in console.file.getvalue()


def test_without_a_terminal_nothing_is_printed(folder, tmp_path, capfd):
    embed(folder, tmp_path / "s", snippets=[1], progress=True)
    assert capfd.readouterr() == ("", "")


def test_rich_is_imported_only_for_a_bar(folder, tmp_path):
    program = (
        "import sys, abxfast; abxfast.embed(sys.argv[1], sys.argv[2], snippets=[1], progress=lambda _: None); "
        "assert 'rich' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, folder, tmp_path / "s"], check=True)
