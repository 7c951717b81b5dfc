"""Recordings that hold the same audio are named, as are channels that cancel each other."""

import json
import logging
import shutil

import numpy as np
import pytest
import soundfile

import abxfast
from abxfast.audio import AudioQuality, measure_quality
from abxfast.errors import AudioError
from abxfast.study import run_study
from abxfast.study.copies import describe_channels, describe_copies

RATE_HZ = 16_000


@pytest.fixture
def folder(tmp_path):
    """Four recordings: two of noise of changing colour, a byte copy of the first, a quiet µ-law copy of the second."""
    waves = []
    for seed in range(2):
        random = np.random.default_rng(seed)
        parts = [random.standard_normal(2_000 + width) for width in random.integers(1, 12, 60)]
        parts = [np.convolve(part, np.ones(len(part) - 1_999), "valid") for part in parts]
        waves.append(
            0.02 * np.concatenate([part[:2_000] for part in parts]) * np.repeat(random.uniform(0.1, 1, 60), 2_000)
        )
        soundfile.write(tmp_path / f"{'ab'[seed]}.wav", waves[seed], RATE_HZ)
    shutil.copy(tmp_path / "a.wav", tmp_path / "a-again.wav")
    soundfile.write(tmp_path / "b-mulaw.wav", 0.5 * waves[1], RATE_HZ, subtype="ULAW")
    return tmp_path


def test_a_study_names_copies(folder):
    (folder / "study.toml").write_text(
        '[study]\nrecordings = "."\nsnippets = [0.5]\npermutations = 20\n'
        '[experiment.all]\non = "recording"\n'
        '[experiment.two]\non = "recording"\nwhere = { recording = ["a.wav", "b.wav"] }\n',
        encoding="utf-8",
    )
    run_study(folder / "study.toml", folder / "results", report=False)
    copies = json.loads((folder / "results" / "tables" / "copies.json").read_text(encoding="utf-8"))
    assert [(row["recording"], row["other"], row["kind"]) for row in copies] == [
        ("a-again.wav", "a.wav", "bytes"),
        ("b-mulaw.wav", "b.wav", "audio"),
    ]
    assert copies[1]["correlation"] > 0.9
    assert copies[1]["gain_db"] == pytest.approx(6, abs=1)
    rows = json.loads((folder / "results" / "tables" / "sentences.json").read_text(encoding="utf-8"))
    texts = [(row["experiment"], row["text"]) for row in rows if row["kind"] == "copy"]
    end = "They count as independent recordings in intervals and tests, which they are not."
    assert texts == [
        ("all", f"These recordings hold the same audio, byte for byte: a-again.wav and a.wav. {end}"),
        ("all", f"These recordings hold the same audio, up to codec and level: b-mulaw.wav and b.wav. {end}"),
    ]


def test_scoring_warns_of_byte_copies(folder, caplog):
    with caplog.at_level(logging.WARNING, "abxfast"):
        abxfast.embed([folder / "a.wav", folder / "a-again.wav", folder / "b.wav"], folder / "s", snippets=[0.5])
        abxfast.score_store(folder / "s")
    expected = "a.wav holds the same audio as a-again.wav, byte for byte: leave one of them out"
    assert [record.getMessage() for record in caplog.records] == [expected]


def test_copies_are_grouped_and_long_lists_are_cut():
    copies = [{"recording": "r0", "other": f"r{n}", "kind": "audio"} for n in range(1, 7)]
    copies += [{"recording": f"p{n}", "other": f"q{n}", "kind": "audio"} for n in range(5)]
    names = [f"r{n}" for n in range(7)] + [f"{letter}{n}" for n in range(5) for letter in "pq"]
    ((_, text),) = describe_copies(copies, names)
    assert "r0, r1, r2 and 4 more; p0 and q0; p1 and q1; p2 and q2; and 2 more groups (table copies)." in text
    assert not list(describe_copies(copies, ["r1", "p1", "q2"]))


def stereo(path, left, right):
    soundfile.write(path, np.stack([left, right], axis=1), RATE_HZ)
    return path


def test_channels_that_cancel_are_warned_of(tmp_path, caplog):
    random = np.random.default_rng(0)
    left, noise = 0.1 * random.standard_normal((2, 3 * RATE_HZ))
    cases = {"anti": -left + 0.001 * noise, "same": left, "unrelated": noise, "one": 0 * left}
    paths = {name: stereo(tmp_path / f"{name}.wav", left, right) for name, right in cases.items()}
    quality = {name: measure_quality(path) for name, path in paths.items()}
    assert quality["anti"].mix_db < -40
    levels = [quality[name].mix_db for name in ("same", "unrelated", "one")]
    assert levels == pytest.approx([0, -10 * np.log10(2), -10 * np.log10(2)], abs=0.2)
    ((_, text),) = describe_channels(quality, list(quality))
    assert text.startswith("The channels of anti cancel each other, down to -")
    assert text.endswith("set channel = 0 in the study file.")
    with caplog.at_level(logging.WARNING, "abxfast"):
        abxfast.embed(list(paths.values()), tmp_path / "s", snippets=[1])
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith(f"{paths['anti']}: its channels cancel each other")
    assert message.endswith("use `channel='0'`")
    assert measure_quality(paths["anti"], 0).note == ""


def test_a_mix_of_silence_is_explained(tmp_path):
    wave = (0.1 * np.random.default_rng(0).standard_normal(RATE_HZ)).astype(np.float32)
    path = stereo(tmp_path / "anti.wav", np.round(wave * 32767) / 32768, -np.round(wave * 32767) / 32768)
    from abxfast.audio import stream

    with pytest.raises(AudioError, match=r"its channels cancel each other .* use `channel='0'`"):
        list(stream(path, RATE_HZ))
    assert "cancel" in measure_quality(path).note
    assert AudioQuality().note == ""
