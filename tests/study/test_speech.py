"""Scores of real speech from Debian's packages, in the folder ABXFAST_SPEECH, and the table of the case studies."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from abxfast.study.config import read_study
from abxfast.study.resolve import resolve

ROOT = Path(__file__).parents[2]
PACKAGES = os.environ.get("ABXFAST_SPEECH", "")

pytestmark = pytest.mark.skipif(
    not PACKAGES,
    reason="needs the speech packages: python benchmarks/studies/speech.py --fetch DIR, then ABXFAST_SPEECH=DIR",
)


@pytest.fixture(scope="module")
def measured():
    program = [sys.executable, str(ROOT / "benchmarks" / "studies" / "speech.py"), PACKAGES, "--json"]
    done = subprocess.run(program, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return {row["design"].strip(): row for row in json.loads(done.stdout)}


def test_recording_conditions_are_discriminated_and_the_control_is_at_chance(measured):
    assert measured["recording condition: wav against gsm"]["mfcc.max"] > 0.8
    control = measured["control: two recordings of one condition"]
    assert all(0.45 < control[variant] < 0.55 for variant in ("mfcc.max", "mfcc.mean", "mfcc.std"))


def test_every_triplet_of_the_syllables_counts(measured):
    voices, syllables = 2, 40
    content = measured["phonetic content"]
    assert content["triplets"] == content["cells"] == voices * syllables * (syllables - 1)
    assert measured["voice"]["triplets"] == voices * syllables * (syllables - 1) * syllables
    assert measured["phonetic content"]["mfcc.max"] > 0.6


def test_the_case_studies_show_the_measured_scores(measured):
    rows = re.findall(
        r"^\| (.+?) \| ON .+? \| .+? \| ([\d,]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", _case_studies(), re.MULTILINE
    )
    assert {row[0] for row in rows} == set(measured)
    for design, triplets, *scores in rows:
        row = measured[design]
        assert int(triplets.replace(",", "")) == row["triplets"]
        # Another processor adds in another order: the third digit may differ.
        for variant, score in zip(("mfcc.max", "mfcc.mean", "mfcc.std"), scores, strict=True):
            assert float(score) == pytest.approx(row[variant], abs=2e-3)


def _case_studies():
    return (ROOT / "docs" / "case-studies.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["conditions", "languages", "segments", "voice"])
def test_the_studies_of_the_benchmarks_fit_their_recordings(name, tmp_path, monkeypatch):
    if name == "voice" and shutil.which("text2wave") is None:
        pytest.skip("needs the speech of festival: apt-get install festival festvox-kallpc16k")
    if name == "languages" and not (Path(PACKAGES) / "usr/share/klettres").is_dir():
        pytest.skip("needs the speech of klettres-data: python benchmarks/studies/speech.py --fetch DIR")
    sys.path.insert(0, str(ROOT / "benchmarks" / "studies"))
    try:
        import recordings
    finally:
        sys.path.remove(str(ROOT / "benchmarks" / "studies"))
    # Speaking and singing takes most of the time, and what fits a sixth of a text fits all of it.
    monkeypatch.setattr(recordings, "WORDS_PER_TEXT", recordings.WORDS_PER_TEXT // 6)
    recordings.DESIGNS[name](Path(PACKAGES), tmp_path)
    shutil.copy(ROOT / "benchmarks" / "studies" / f"{name}.toml", tmp_path / "study.toml")
    resolved = resolve(read_study(tmp_path / "study.toml"))
    assert all(resolved.seconds.values())
    with_different = [selection for selection in resolved.selections if selection.experiment.different]
    for selection in with_different:  # a control, or a channel: equally many recordings of each value
        on = selection.experiment.task.on
        values = [item.labels[on] for item in selection.items]
        assert len({values.count(value) for value in values}) == 1
