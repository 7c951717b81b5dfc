"""Study files written for recordings: valid as they are, and fit for their columns."""

import tomllib

import numpy as np
import pytest
import soundfile

from abxfast.errors import StudyError
from abxfast.study import DESIGNS, write_study
from abxfast.study.config import read_study
from abxfast.study.resolve import resolve

RATE_HZ = 16_000


@pytest.mark.parametrize("design", [*DESIGNS, None])
def test_a_written_study_can_be_run_as_it_is(manifest, tmp_path, design):
    output = tmp_path / "below" / "study.toml"
    write_study(manifest, output, design)
    resolved = resolve(read_study(output))
    assert resolved.study.title == "our recordings"
    on = {selection.experiment.task.on for selection in resolved.selections}
    expected = {
        "recording-conditions": {"recording", "microphone"},
        "voice": {"recording", "speaker"},
        "segments": {"syllable"},
        None: {"syllable"},
    }
    assert on == expected[design]
    assert all(len(selection.items) == 8 for selection in resolved.selections)
    text = output.read_text(encoding="utf-8")
    assert "$" not in text
    assert "speaker: F4 (4), ŋɑ˧ (4)" in text
    assert "remark: once (1); empty in 7; nothing to compare" in text


@pytest.mark.parametrize(
    ("seconds", "columns", "on"),
    [
        (2, "genre,text", ["text"]),
        (7, "genre,text", ["genre", "recording"]),
        (7, "condition,text", ["recording", "condition"]),
    ],
)
def test_long_recordings_of_several_texts_are_not_mistaken_for_segments(tmp_path, seconds, columns, on):
    rows = [f"path,{columns}"]
    for n in range(4):
        soundfile.write(tmp_path / f"{n}.wav", np.random.default_rng(n).uniform(size=RATE_HZ * seconds), RATE_HZ)
        rows.append(f"{n}.wav,{'ab'[n % 2]},text {n // 2}")
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    write_study(tmp_path / "table.csv", tmp_path / "study.toml")
    content = tomllib.loads((tmp_path / "study.toml").read_text(encoding="utf-8"))
    assert [experiment["on"] for experiment in content["experiment"].values()] == on


def test_an_existing_file_is_not_overwritten(manifest, tmp_path):
    (tmp_path / "study.toml").write_text("mine")
    with pytest.raises(StudyError, match="exists already"):
        write_study(manifest, tmp_path / "study.toml")
    assert (tmp_path / "study.toml").read_text() == "mine"


def test_a_folder_of_recordings_can_stand_for_a_manifest(manifest, tmp_path):
    write_study(manifest.parent, tmp_path / "folder.toml")
    content = tomllib.loads((tmp_path / "folder.toml").read_text(encoding="utf-8"))
    assert content["study"]["recordings"] == "."
    assert list(content["experiment"]) == ["recordings"]


def test_an_unknown_design_and_one_without_a_column_are_refused(manifest, tmp_path):
    with pytest.raises(StudyError, match=r"^`design`: found 'voices'; did you mean 'voice'\?"):
        write_study(manifest, tmp_path / "s.toml", "voices")
    with pytest.raises(StudyError, match="needs a column"):
        write_study(manifest.parent, tmp_path / "s.toml", "segments")
