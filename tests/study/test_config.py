"""The study file: an error in it is reported in one line, with its line number, before anything runs."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from abxfast.errors import AbxfastError, StudyError
from abxfast.study.config import read_study
from abxfast.study.keys import EXPERIMENT_KEYS, STUDY_KEYS
from abxfast.study.resolve import resolve

GOOD = """\
[study]
title = "Two tellings"
manifest = "recordings.csv"
encoders = ["mfcc"]
snippets = [1, 2]

[experiment.matrix]
on = "recording"
where = { tale = "sister" }
classify = ["microphone"]

[experiment.microphone]
on = "microphone"
by = ["tale"]
different = ["recording"]
"""
ROWS = """\
path,tale,microphone,year,mood
a.wav,sister,table,2018,
b.wav,sister,headset,2018,
c.wav,sister,table,2019,
d.wav,sister,headset,2019,calm
"""


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate("abcd"):
        wave = 0.1 * np.random.default_rng(seed).standard_normal(16_000 * 4)
        soundfile.write(tmp_path / f"{name}.wav", wave, 16_000)
    (tmp_path / "recordings.csv").write_text(ROWS, encoding="utf-8")
    return tmp_path


def problem(folder, text):
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AbxfastError) as caught:
        resolve(read_study(path))
    return str(caught.value)


def line_of(text, part):
    return next(number for number, line in enumerate(text.split("\n"), 1) if part in line)


def test_a_valid_study_is_read_as_written(folder):
    (folder / "study.toml").write_text(GOOD, encoding="utf-8")
    resolved = resolve(read_study(folder / "study.toml"))
    assert resolved.study.title == "Two tellings"
    assert resolved.study.snippets == (1.0, 2.0)
    matrix, microphone = resolved.selections
    assert matrix.recordings == ("a.wav", "b.wav", "c.wav", "d.wav")
    assert microphone.experiment.task.by == ("tale",)
    assert microphone.experiment.different == ("recording",)
    assert resolved.variants == {"mfcc": ("mfcc.max",)}
    assert resolved.study.permutations == 10_000


@pytest.mark.parametrize(
    ("old", "new", "place", "expected"),
    [
        ("snippets =", "snipets =", "snipets", ["'snipets'", "did you mean 'snippets'?"]),
        ("by = [", "bye = [", "bye =", ["'bye'", "did you mean 'by'?"]),
        ("[study]", "[studdy]", "[studdy]", ["'studdy'", "did you mean 'study'?"]),
        ("[1, 2]", "[1, 0]", "snippets", ["0", "above 0"]),
        ("[1, 2]", '[1, "ten"]', "snippets", ["'ten'", "whole"]),
        ("[1, 2]", "[1, 5]", "snippets", ["5 s", "longer than every row", "4.00 s"]),
        ('"sister" }', '"sitser" }', "where", ["tale = 'sitser'", "did you mean 'sister'?"]),
        ('tale = "sister" }', 'tail = "sister" }', "where", ["no column 'tail'", "did you mean 'tale'?"]),
        (
            '"sister" }',
            '"sister", year = "2018", mood = "calm" }',
            "where",
            ["selects nothing", "mood = calm"],
        ),
        ('on = "recording"', 'on = "tale"', 'on = "tale"', ["the one value 'sister'", "at least two"]),
        ('["microphone"]', '["microfone"]', "classify", ["no column 'microfone'", "did you mean 'microphone'?"]),
        ('on = "microphone"', 'on = "mood"', 'on = "mood"', ["'mood' is empty in 3 of the 4 rows"]),
        ('by = ["tale"]', 'by = ["recording"]', 'on = "microphone"', ["nothing to compare"]),
        ('by = ["tale"]', 'by = ["microphone"]', 'on = "microphone"', ["twice"]),
        ('["mfcc"]', '["nonesuch"]', "encoders", ["nonesuch", "mfcc"]),
        ('["mfcc"]', '["mfcc"]\nvariants = ["layer21.max"]', "variants", ["layer21.max", "mfcc.max"]),
        ('["mfcc"]', '["mfcc"]\nstandardise = "z"', "standardise", ["'z'", "expected 'center' or 'zscore'"]),
        ('["mfcc"]', '["mfcc"]\nseed = -1', "seed", ["-1", "0 or more"]),
        ('["mfcc"]', '["mfcc"]\npermutations = 10.5', "permutations", ["10.5", "whole number"]),
        ('"recordings.csv"', '"recordings.tsv"', "manifest", ["no such file"]),
        ('["mfcc"]', '["mfcc"]\nhop = "1"', "hop", ["'1'", "number"]),
        ('title = "Two', "title = Two", "title", ["not TOML"]),
        ('where = { tale = "sister" }', "where = { tale = true }", "where", ["True", "text"]),
        ("[experiment.matrix]", "[experiment.纳西]", "[experiment.纳西]", ["not TOML", "needs quotes"]),
        ("[1, 2]", "[]", "snippets", ["is empty", "at least one length"]),
        ('["mfcc"]', "[]", "encoders", ["is empty", "at least one"]),
        ('["mfcc"]', '["mfcc"]\nvariants = []', "variants", ["is empty", "at least one"]),
    ],
)
def test_an_error_names_its_line(folder, old, new, place, expected):
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    message = problem(folder, text)
    assert f"study.toml line {line_of(text, place)}: " in message
    for part in expected:
        assert part in message
    assert "\n" not in message


def test_a_study_without_experiments_is_refused(folder):
    assert "no experiment" in problem(folder, GOOD.split("\n[experiment", maxsplit=1)[0])


def test_rows_without_a_value_are_left_out_and_named(folder):
    rows = ROWS.replace("d.wav,sister,headset", "d.wav,sister,")
    (folder / "recordings.csv").write_text(rows, encoding="utf-8")
    (folder / "study.toml").write_text(GOOD, encoding="utf-8")
    selection = resolve(read_study(folder / "study.toml")).selections[1]
    assert selection.left_out == ("d.wav",)
    assert selection.recordings == ("a.wav", "b.wav", "c.wav")


def test_two_encoders_of_one_name_are_refused(folder):
    from abxfast.encoders import find_encoder

    (folder / "copy.onnx").write_bytes(find_encoder("mfcc").read_bytes())
    message = problem(folder, GOOD.replace('["mfcc"]', '["mfcc", "copy.onnx"]'))
    assert "both have the name 'mfcc'" in message


def test_a_missing_study_file_names_the_function_that_writes_one(tmp_path):
    with pytest.raises(StudyError, match=r"no such file; `abxfast\.study\.write_study` makes one"):
        read_study(tmp_path / "study.toml")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("remainder", '"half"', "'half'"),
        ("channel", '"left"', "'left'"),
        ("hop", "0.0001", "hop = 0.0001, expected a number, 0.001 or more"),
        ("encoders", '["nonesuch"]', "encoders: "),
    ],
)
def test_an_error_of_a_library_function_names_the_key(folder, key, value, expected):
    text = GOOD.replace('encoders = ["mfcc"]\n', f"{key} = {value}\n")
    message = problem(folder, text)
    assert f"study.toml line {line_of(text, key)}: " in message
    assert expected in message
    assert "`" not in message
    assert "--" not in message


@pytest.mark.parametrize(
    ("table", "name"),
    [
        *(("study", name) for name, info in STUDY_KEYS.items() if info.default.startswith("`")),
        *(("experiment", name) for name, info in EXPERIMENT_KEYS.items() if info.default.startswith("`")),
    ],
)
def test_a_documented_default_is_what_a_missing_key_means(folder, table, name):
    def read(study="", experiment=""):
        (folder / "study.toml").write_text(
            f'[study]\nmanifest = "recordings.csv"\n{study}\n[experiment.a]\n{experiment}\n', encoding="utf-8"
        )
        return replace(read_study(folder / "study.toml"), document=None)

    default = (STUDY_KEYS if table == "study" else EXPERIMENT_KEYS)[name].default.strip("`")
    assert read(**{table: f"{name} = {default}"}) == read()
