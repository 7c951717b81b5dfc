import logging

import pytest
from rich.console import Console

from abxfast.cli.run_progress import ProgressLines, run_progress
from abxfast.embedding import Progress
from abxfast.study import StudyStep


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "abxfast")
    return lambda: [record.getMessage() for record in caplog.records]


def test_without_a_terminal_each_step_is_a_line_and_many_quick_ones_are_one(lines):
    progress = ProgressLines()
    for number in range(3):
        progress.step(StudyStep("recording", f"{number}.wav", number, 3))
    for number in range(2):
        progress.step(StudyStep("analysis", f"voice {number}", number, 2))
    progress.step(StudyStep("figure", "Matrix", 0, 2))
    progress.step(StudyStep("figure", "Map", 1, 2))
    progress.step(StudyStep("page", "report.html", 0, 1))
    assert lines() == [
        "measuring 3 recordings",
        "analysis 1 of 2: voice 0",
        "analysis 2 of 2: voice 1",
        "drawing 2 figures",
        "page: report.html",
    ]


def test_the_line_of_each_minute_says_what_goes_on(lines):
    progress = ProgressLines()
    progress.embedding(Progress("a.wav", 30.0, 90.0, 30.0))
    progress.say_what_goes_on()
    progress.step(StudyStep("figure", "Map", 1, 2))
    progress.say_what_goes_on()
    assert lines()[0] == "after 0:00: embedding, 0:30 of 1:30 of audio: a.wav"
    assert lines()[-1] == "after 0:00: figure 2 of 2: Map"


def test_the_thread_repeats_it_until_it_is_stopped(monkeypatch):
    progress = ProgressLines()
    said, waits = [], iter([False, False, True])
    monkeypatch.setattr(progress, "say_what_goes_on", lambda: said.append(1))
    monkeypatch.setattr(progress._stopped, "wait", lambda _: next(waits))
    progress.start()
    progress.stop()
    assert len(said) == 2


def test_on_a_terminal_a_bar_moves_and_quiet_shows_nothing():
    console = Console(force_terminal=True, width=120, record=True)
    with run_progress(console, quiet=False) as progress:
        progress.embedding(Progress("a.wav", 30.0, 90.0, 30.0))
        progress.step(StudyStep("analysis", "voice, 1 s", 1, 2))
    assert "analysis voice, 1 s" in console.export_text()
    with run_progress(console, quiet=True) as progress:
        assert progress is None
