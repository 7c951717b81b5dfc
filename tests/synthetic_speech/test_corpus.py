"""The corpus is the same for the same seed, and its contrasts are those of the design and no others."""

import csv

import numpy as np
import pytest
import soundfile

import abxfast
from abxfast.errors import TaskError
from abxfast.synthetic_speech import BACK, DESIGN, FRONT, RATE_HZ, write_corpus

SECONDS = 12.501
"""Not a whole number of frames."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"), seed=3, seconds=SECONDS)


def rows(manifest):
    with manifest.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes(corpus, tmp_path):
    again = write_corpus(tmp_path, seed=3, seconds=SECONDS)
    assert contents(again.parent) == contents(corpus.parent)
    assert again == tmp_path / "recordings.csv"


def test_another_seed_gives_other_bytes(corpus, tmp_path):
    other = contents(write_corpus(tmp_path, seed=4, seconds=SECONDS).parent)
    same = contents(corpus.parent)
    assert other.keys() == same.keys()
    assert not [name for name in same if same[name] == other[name]]


def test_a_shorter_corpus_overwrites_a_longer_one(tmp_path):
    write_corpus(tmp_path, seconds=2)
    manifest = write_corpus(tmp_path, seconds=1)
    assert {soundfile.info(tmp_path / row["path"]).frames for row in rows(manifest)} == {RATE_HZ}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "`seed`: found -1, expected 0 or more"),
        ({"seconds": 0.5}, "`seconds`: found 0.5, expected a finite number, at least 1"),
        ({"seconds": float("nan")}, "`seconds`: found nan, expected a finite number, at least 1"),
        ({"seconds": float("inf")}, "`seconds`: found inf, expected a finite number, at least 1"),
    ],
)
def test_arguments_out_of_range_are_refused(tmp_path, options, message):
    with pytest.raises(TaskError) as caught:
        write_corpus(tmp_path / "new", **options)
    assert str(caught.value) == message
    assert not (tmp_path / "new").exists()


def test_manifest_lists_the_design(corpus):
    table = rows(corpus)
    assert len(table) == 12
    assert {row["path"] for row in table} == {name for name in contents(corpus.parent) if name.endswith(".wav")}
    for experiment, column in (("room", "room"), ("voice", "voice"), ("vowels", "vowels")):
        in_experiment = [row for row in table if row["experiment"] == experiment]
        conditions = {row["condition"] for row in in_experiment}
        assert len(in_experiment) == 4
        assert len(conditions) == 2
        # The contrast is in its own column only.
        for other in ("room", "voice", "vowels"):
            pairs = {(row["condition"], row[other]) for row in in_experiment}
            assert len({value for _, value in pairs}) == (2 if other == column else 1)
            assert len(pairs) == 2
    assert {row["vowels"] for row in table} == {" ".join(FRONT), " ".join(BACK), " ".join(FRONT + BACK)}


def test_recordings_are_16_bit_speech_at_their_level(corpus):
    for row in rows(corpus):
        info = soundfile.info(corpus.parent / row["path"])
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        assert info.frames == 200_016
        wave, _ = soundfile.read(corpus.parent / row["path"])
        assert np.abs(wave).max() < 0.99, "clipped"
        assert 20 * np.log10(np.sqrt(np.mean(wave**2))) == pytest.approx(float(row["level_db"]), abs=0.05)
        # Every second contains speech, so that no snippet is silence.
        seconds = wave[: 12 * 16_000].reshape(12, -1)
        assert np.sqrt(np.mean(seconds**2, axis=1)).min() > 0.1 * np.sqrt(np.mean(wave**2))


def test_levels_do_not_reveal_the_condition(corpus):
    levels = {}
    for row in rows(corpus):
        levels.setdefault((row["experiment"], row["condition"]), []).append(row["level_db"])
    for experiment in ("room", "voice", "vowels"):
        first, second = (values for (name, _), values in levels.items() if name == experiment)
        assert first == second
        assert len(set(first)) == 2


def test_no_recording_is_a_copy_of_another(corpus):
    waves = [soundfile.read(corpus.parent / row["path"])[0] for row in rows(corpus)]
    spectra = [np.fft.rfft(wave / np.linalg.norm(wave), 2 * len(wave)) for wave in waves]
    for i, spectrum in enumerate(spectra):
        for other in spectra[:i]:
            assert np.abs(np.fft.irfft(spectrum * other.conj())).max() < 0.5


def test_reverberation_fills_the_pauses_in_the_hall_only(corpus):
    quietest = {}
    for row in rows(corpus):
        power = np.mean(soundfile.read(corpus.parent / row["path"])[0][:200_000].reshape(-1, 800) ** 2, axis=1)
        quietest.setdefault(row["room"], []).append(10 * np.log10(np.percentile(power, 5) / power.mean()))
    # Above the microphone's noise (−30 dB).
    assert min(quietest["hall"]) > -20
    assert max(quietest["studio"]) < -40


def test_an_acoustic_baseline_finds_the_contrasts_and_nothing_else(tmp_path):
    manifest = write_corpus(tmp_path / "corpus", seconds=20)
    abxfast.embed(manifest, tmp_path / "mfcc.store", snippets=[1])
    scores = abxfast.score_store(tmp_path / "mfcc.store", snippet=1, on="recording", by=["experiment"])
    condition = {row["path"]: row["condition"] for row in rows(manifest)}
    for experiment in {row[0] for row in DESIGN}:
        cells = [row for row in scores.table.to_pylist() if row["experiment"] == experiment]
        same = [row["score"] for row in cells if condition[row["recording"]] == condition[row["recording_b"]]]
        other = [row["score"] for row in cells if condition[row["recording"]] != condition[row["recording_b"]]]
        assert (len(same), len(other)) == (4, 8)
        assert 0.4 < np.mean(same) < 0.6, experiment
        assert np.mean(other) > np.mean(same) + 0.1, experiment
