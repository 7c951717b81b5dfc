"""Experiments without a triplet are refused, with the reason and the line; what else will be missing is said."""

import numpy as np
import pytest
import soundfile

from abxfast.errors import StudyError
from abxfast.study import plan_study, run_study
from abxfast.study.config import read_study
from abxfast.study.plan_warnings import plan_warnings
from abxfast.study.resolve import resolve
from abxfast.study.triplets import check_triplets, find_obstacle


@pytest.fixture
def study(tmp_path):
    """Return a function that writes a study of recordings of 4 s, one per row, and resolves it."""

    def write(rows, experiment, snippets="[1]"):
        names = list(rows[0])
        lines = [",".join(("path", *names))]
        for number, row in enumerate(rows):
            wave = 0.1 * np.random.default_rng(number).standard_normal(4 * 8_000)
            soundfile.write(tmp_path / f"{number}.wav", wave, 8_000)
            lines.append(",".join((f"{number}.wav", *row.values())))
        (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        path = tmp_path / "study.toml"
        path.write_text(
            f'[study]\nmanifest = "rows.csv"\nsnippets = {snippets}\n[experiment.test]\n{experiment}\n',
            encoding="utf-8",
        )
        return path

    return write


CROSSED = [{"speaker": speaker, "microphone": microphone} for speaker in "abc" for microphone in ("head", "table")]


@pytest.mark.parametrize(
    ("rows", "experiment", "snippets", "line", "reason"),
    [
        (
            CROSSED,
            'on = "microphone"\nby = ["speaker"]\ndifferent = ["recording"]',
            "[1]",
            7,
            "by speaker leaves one recording for each microphone at 1 s: A and X need two that differ in recording",
        ),
        (
            CROSSED,
            'on = "microphone"\nby = ["speaker"]',
            '[4, "whole"]',
            6,
            "by speaker leaves one snippet for each microphone at 4 s: A and X need two",
        ),
        (
            CROSSED,
            'on = "speaker"\ndifferent = ["speaker"]',
            "[1]",
            6,
            "there is one speaker for each speaker at 1 s: A and X need two that differ in speaker",
        ),
        (
            CROSSED,
            'on = "recording"',
            '["whole"]',
            5,
            "there is one snippet for each recording as whole items: A and X need two",
        ),
    ],
)
def test_an_experiment_without_a_triplet_is_refused(study, tmp_path, rows, experiment, snippets, line, reason):
    path = study(rows, experiment, snippets)
    for function in (plan_study, run_study):
        with pytest.raises(StudyError) as caught:
            function(path, tmp_path / "results")
        assert str(caught.value) == f"{path} line {line}: [experiment.test] nothing can be scored: {reason}"
        assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("experiment", "snippets"),
    [
        ('on = "microphone"\nby = ["speaker"]', "[1]"),
        ('on = "microphone"\ndifferent = ["recording", "speaker"]', "[4]"),
        ('on = "microphone"\nacross = ["speaker"]', '["whole"]'),
        ('on = "microphone"\nacross = ["speaker"]\ndifferent = ["recording"]', "[4]"),
        ('on = "recording"', '[1, "whole"]'),
    ],
)
def test_an_experiment_with_a_triplet_is_not(study, experiment, snippets):
    check_triplets(resolve(read_study(study(CROSSED, experiment, snippets))))


def test_what_is_found_agrees_with_the_counts(study, tmp_path):
    """The run itself scores what has no obstacle, and nothing else."""
    path = study(CROSSED, 'on = "microphone"\nby = ["speaker"]', "[1, 4]")
    resolved = resolve(read_study(path))
    (selection,) = resolved.selections
    assert [bool(find_obstacle(resolved, selection, length)) for length in (1.0, 4.0)] == [False, True]
    run_study(path, tmp_path / "results", report=False)
    summary = (tmp_path / "results" / "tables" / "summary.csv").read_text(encoding="utf-8").splitlines()
    triplets = summary[0].split(",").index("triplets")
    assert [line.split(",")[triplets] != "0" for line in summary[1:]] == [True, False]
    sentences = (tmp_path / "results" / "tables" / "sentences.csv").read_text(encoding="utf-8")
    assert ",4.0,confound" not in sentences


def warnings(path):
    return plan_warnings(resolve(read_study(path)))


def test_the_plan_warns_of_what_will_be_missing(study):
    (few,) = warnings(study(CROSSED, 'on = "microphone"'))
    assert few == (
        "test, 1 s: 2 of 2 values of microphone have too few recordings for an interval of their pairs: 5 of each "
        "would be needed (the fewest are 3)"
    )
    (short,) = warnings(study(CROSSED, 'on = "recording"', "[0.1, 1]"))
    assert short == (
        "test, 1 s: 6 of 6 recordings are too short for an interval and a verdict: 10 snippets, or 10 s, of each "
        "would be needed (the shortest is 0.wav)"
    )
    constant = [row | {"room": "hall"} for row in CROSSED]
    assert warnings(study(constant, 'on = "recording"\nby = ["room"]', "[0.1]")) == [
        "test: by = 'room' has the one value 'hall' in the rows that it selects, and so no effect"
    ]


@pytest.mark.parametrize(
    ("experiment", "expected"),
    [
        ('on = "microphone"', (10, 10)),  # 3 + 3 recordings
        ('on = "speaker"', (3, 3, 3, 15)),  # 2 + 2 each, and 2 + 2 + 2
        ('on = "microphone"\nby = ["speaker"]', (4, 4)),  # swapped in each of three contexts
        ('on = "recording"', (np.inf,) * 16),  # blocks
    ],
)
def test_the_plan_counts_as_many_relabellings_as_the_test_has(study, experiment, expected):
    from abxfast.study.scoring_estimate import _measure_size

    resolved = resolve(read_study(study(CROSSED, experiment)))
    assert _measure_size(resolved, resolved.selections[0], 1.0).relabellings == expected
