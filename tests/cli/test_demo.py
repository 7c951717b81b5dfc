"""The demo: known answers, found by the whole pipeline."""

import csv
import re
import sys

import pytest

from abxfast import cli, plan_study, score_store
from abxfast.cli import demo


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "abxfast-demo"
    lines = []
    text = demo.run_demo(path, inform=lines.append)
    assert any("mfcc" in line for line in lines)
    return path, text


def test_contrasts_score_above_their_controls(folder):
    _, text = folder
    for things in ("rooms", "voices", "sets of vowels"):
        line = next(line for line in text.splitlines() if line.startswith(f"Different {things}"))
        contrast, control = map(float, re.findall(r"[\d.]+(?= at 1 s)", line))
        assert contrast > control + demo.MIN_CONTRAST
        assert f"distinguishes the {things} at 1 s" in text
        assert 0.4 < control < 0.65


def test_the_sentences_repeat_the_scores(folder):
    path, text = folder
    scores = score_store(path / "demo.store", snippet=1, on="recording", by=["experiment"]).table.to_pylist()
    with (path / "recordings.csv").open(encoding="utf-8") as file:
        condition = {row["path"]: row["condition"] for row in csv.DictReader(file)}
    rooms = [
        row["score"]
        for row in scores
        if row["experiment"] == "room" and condition[row["recording"]] != condition[row["recording_b"]]
    ]
    assert f"Different rooms: {sum(rooms) / len(rooms):.2f} at 1 s" in text


def test_it_says_why_controls_at_10_s_are_far_from_chance(folder):
    path, text = folder
    with (path / "recordings.csv").open(encoding="utf-8") as file:
        condition = {row["path"]: row["condition"] for row in csv.DictReader(file)}
    for length, count in ((1, 60), (10, 6)):
        table = score_store(path / "demo.store", snippet=length, on="recording", by=["experiment"]).table.to_pylist()
        controls = [row["score"] for row in table if condition[row["recording"]] == condition[row["recording_b"]]]
        assert len(controls) == 12
        assert f"{min(controls):.2f} to {max(controls):.2f} at {length} s" in text
        assert f"{count} snippets of {length} s" in text


def test_it_writes_a_study_of_the_recordings(folder):
    path, text = folder
    assert f"abxfast run {path / demo.STUDY_FILE}" in text
    assert plan_study(path / demo.STUDY_FILE, path / "results").to_json()["recordings"] == 12


def test_it_runs_again_on_its_own_folder_and_keeps_an_edited_study(folder, monkeypatch, capfd):
    path, text = folder
    study = path / demo.STUDY_FILE
    study.write_text(demo.STUDY + "# mine\n", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["abxfast", "demo", str(path)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    out, err = capfd.readouterr()
    assert stop.value.code in (None, 0)
    assert out.strip() == text.strip()
    assert "0 snippets embedded" in err
    assert study.read_text(encoding="utf-8").endswith("# mine\n")


def test_it_leaves_a_folder_of_something_else_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("dear reader")
    with pytest.raises(demo.AbxfastError, match="not an earlier demo"):
        demo.run_demo(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
