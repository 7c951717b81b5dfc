"""The study file: what is wrong with it is said in one line, with the line where it stands, before any work."""

import json
import tomllib

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from abxfast.errors import AbxfastError, StudyError
from abxfast.study.config import read_study
from abxfast.study.selection import resolve
from abxfast.study.toml_lines import find_lines

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


def test_a_good_study_is_read_as_it_is_written(folder):
    (folder / "study.toml").write_text(GOOD, encoding="utf-8")
    material = resolve(read_study(folder / "study.toml"))
    assert material.study.title == "Two tellings"
    assert material.study.snippets == (1.0, 2.0)
    matrix, microphone = material.selections
    assert matrix.recordings == ("a.wav", "b.wav", "c.wav", "d.wav")
    assert microphone.experiment.task.by == ("tale",)
    assert microphone.experiment.different == ("recording",)
    assert material.variants == {"mfcc": ("mfcc.max",)}
    assert material.study.permutations == 10_000


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
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
        ('on = "recording"', 'on = "tale"', 'on = "tale"', ["the one value 'sister'", "two at least"]),
        ('["microphone"]', '["microfone"]', "classify", ["no column 'microfone'", "did you mean 'microphone'?"]),
        ('on = "microphone"', 'on = "mood"', 'on = "mood"', ["'mood' is empty in 3 of the 4 rows"]),
        ('by = ["tale"]', 'by = ["recording"]', 'on = "microphone"', ["nothing to compare"]),
        ('by = ["tale"]', 'by = ["microphone"]', 'on = "microphone"', ["twice"]),
        ('["mfcc"]', '["nonesuch"]', "encoders", ["nonesuch", "mfcc"]),
        ('["mfcc"]', '["mfcc"]\nvariants = ["layer21.max"]', "variants", ["layer21.max", "mfcc.max"]),
        ('["mfcc"]', '["mfcc"]\nseed = -1', "seed", ["-1", "0 or more"]),
        ('["mfcc"]', '["mfcc"]\npermutations = 10.5', "permutations", ["10.5", "whole number"]),
        ('"recordings.csv"', '"recordings.tsv"', "manifest", ["no such file"]),
        ('["mfcc"]', '["mfcc"]\nhop = "1"', "hop", ["'1'", "number"]),
        ('title = "Two', "title = Two", "title", ["not TOML"]),
        ('where = { tale = "sister" }', "where = { tale = true }", "where", ["True", "text"]),
        ("[experiment.matrix]", "[experiment.纳西]", "[experiment.纳西]", ["not TOML", "stands in quotes"]),
        ("[1, 2]", "[]", "snippets", ["names no length"]),
        ('["mfcc"]', "[]", "encoders", ["names nothing"]),
        ('["mfcc"]', '["mfcc"]\nvariants = []', "variants", ["names nothing"]),
    ],
)
def test_what_is_wrong_is_said_with_its_line(folder, old, new, at, says):
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    message = problem(folder, text)
    assert f"study.toml line {line_of(text, at)}: " in message
    for part in says:
        assert part in message
    assert "\n" not in message


def test_a_study_without_experiments_is_refused(folder):
    assert "no experiment" in problem(folder, GOOD.split("\n[experiment", maxsplit=1)[0])


def test_rows_that_lack_a_value_are_left_out_and_named(folder):
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
    assert "both call themselves 'mfcc'" in message


def test_the_study_of_the_readme_can_be_read(folder):
    from pathlib import Path

    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    study = text.split("```toml\n")[1].split("```")[0]
    (folder / "recordings.csv").write_text(ROWS.replace("year", "session"), encoding="utf-8")
    (folder / "study.toml").write_text(study.replace("[1, 5, 10, 20]", "[1]"), encoding="utf-8")
    material = resolve(read_study(folder / "study.toml"))
    assert [len(selection.items) for selection in material.selections] == [4, 4]


def test_a_missing_study_says_how_to_make_one(tmp_path):
    with pytest.raises(StudyError, match="abxfast init"):
        read_study(tmp_path / "study.toml")


KEYS = st.sampled_from(["a", "b-c", '"d.e"', "'ŋ'", "f", "g"])
VALUES = st.sampled_from(
    [
        *("1", '"x # y"', '"""\na = 1\n[b]\n"""', "[\n 1,\n # [c]\n 2,\n]"),
        *("{ h = 1, i = { j = [] } }", "'''\n'''", "2018-01-01"),
    ]
)


@given(st.lists(st.tuples(KEYS, VALUES), unique_by=lambda pair: pair[0], max_size=4), st.data())
def test_lines_are_those_that_were_written(pairs, data):
    """Statements are laid down at known lines; a reader that knows only TOML must find them there."""
    lines, expected = [], {}
    table = ()
    for number, (key, value) in enumerate(pairs):
        lines += data.draw(st.lists(st.sampled_from(["", "# a = 1", "   # [x]"]), max_size=2))
        name = next(iter(tomllib.loads(f"{key} = 0")))
        if data.draw(st.booleans()):
            table = (f"t{number}", name)
            expected[table] = len(lines) + 1
            lines.append(f"[t{number}.{key}]  # here")
        expected[(*table, name)] = len(lines) + 1
        lines += f"{key} = {value}".split("\n")
    text = "\n".join(lines)
    tomllib.loads(text)
    found = find_lines(text)
    assert {key: found[key] for key in expected} == expected
    assert json.dumps(sorted(map(list, found)))  # every key is a path of texts
