"""The stimuli are what they are said to be, measured on the sound by means that know nothing of how it was made."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import soundfile

import abxfast
from abxfast.errors import TaskError
from abxfast.stimuli import write_corpus
from abxfast.stimuli.corpus import (
    BACK,
    DESIGN,
    FRONT,
    HALL,
    HIGH,
    HOP,
    LOW,
    RATE_HZ,
    STUDIO,
    VOWELS_HZ,
    Room,
    Voice,
    impulse_response,
    record,
    speak,
    syllables,
)

OPEN_AIR = Room("open air", 0.1, direct_db=100.0, tilt_db=0.0, band_hz=(1e-3, 1e6), noise_db=-300.0)
"""Neither reverberation, band nor noise to speak of."""


SECONDS = 12.501
"""Not a whole number of frames."""


def rng(seed=0):
    return np.random.default_rng(seed)


def held(vowel, seconds=2.0, *, whispered=False):
    """Tracks of one vowel on the pitch of the voice."""
    row = (0.0, 0.0 if whispered else 1.0, float(whispered), 0.0, 2000.0, 1000.0, *VOWELS_HZ[vowel])
    return np.tile(row, (round(seconds * RATE_HZ / HOP), 1))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"), seed=3, seconds=SECONDS)


def rows(manifest):
    with manifest.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_seed_same_bytes(corpus, tmp_path):
    again = write_corpus(tmp_path, seed=3, seconds=SECONDS)
    assert contents(again.parent) == contents(corpus.parent)
    assert again == tmp_path / "recordings.csv"


def test_other_seed_other_bytes(corpus, tmp_path):
    other = contents(write_corpus(tmp_path, seed=4, seconds=SECONDS).parent)
    same = contents(corpus.parent)
    assert other.keys() == same.keys()
    assert not [name for name in same if same[name] == other[name]]


def test_a_shorter_corpus_overwrites_a_longer_one(tmp_path):
    write_corpus(tmp_path, seconds=2)
    manifest = write_corpus(tmp_path, seconds=1)
    assert {soundfile.info(tmp_path / row["path"]).frames for row in rows(manifest)} == {RATE_HZ}


@pytest.mark.parametrize("options", [{"seed": -1}, {"seconds": 0.5}, {"seconds": float("nan")}])
def test_nonsense_is_refused(tmp_path, options):
    with pytest.raises(TaskError, match="must not"):
        write_corpus(tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


def test_manifest_lists_the_design(corpus):
    table = rows(corpus)
    assert len(table) == 12
    assert {row["path"] for row in table} == {name for name in contents(corpus.parent) if name.endswith(".wav")}
    for experiment, column in (("room", "room"), ("voice", "voice"), ("vowels", "vowels")):
        mine = [row for row in table if row["experiment"] == experiment]
        conditions = {row["condition"] for row in mine}
        assert len(mine) == 4
        assert len(conditions) == 2
        # The contrast is in its own column, and in no other.
        for other in ("room", "voice", "vowels"):
            pairs = {(row["condition"], row[other]) for row in mine}
            assert len({value for _, value in pairs}) == (2 if other == column else 1)
            assert len(pairs) == 2
    assert {row["vowels"] for row in table} == {" ".join(FRONT), " ".join(BACK), " ".join(FRONT + BACK)}


def test_files_are_sound(corpus):
    for row in rows(corpus):
        info = soundfile.info(corpus.parent / row["path"])
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        assert info.frames == 200_016
        wave, _ = soundfile.read(corpus.parent / row["path"])
        assert np.abs(wave).max() < 0.99, "clipped"
        assert 20 * np.log10(np.sqrt(np.mean(wave**2))) == pytest.approx(float(row["level_db"]), abs=0.05)
        # Speech and pauses in every stretch that could become a snippet, no end of silence.
        seconds = wave[: 12 * 16_000].reshape(12, -1)
        assert np.sqrt(np.mean(seconds**2, axis=1)).min() > 0.1 * np.sqrt(np.mean(wave**2))


def test_levels_do_not_give_the_answer_away(corpus):
    levels = {}
    for row in rows(corpus):
        levels.setdefault((row["experiment"], row["condition"]), []).append(row["level_db"])
    for experiment in ("room", "voice", "vowels"):
        first, second = (found for (name, _), found in levels.items() if name == experiment)
        assert first == second
        assert len(set(first)) == 2


def test_no_recording_is_a_copy_of_another(corpus):
    waves = [soundfile.read(corpus.parent / row["path"])[0] for row in rows(corpus)]
    spectra = [np.fft.rfft(wave / np.linalg.norm(wave), 2 * len(wave)) for wave in waves]
    for i, one in enumerate(spectra):
        for other in spectra[:i]:
            assert np.abs(np.fft.irfft(one * other.conj())).max() < 0.5


def test_pauses_are_filled_by_the_hall_alone(corpus):
    quietest = {}
    for row in rows(corpus):
        power = np.mean(soundfile.read(corpus.parent / row["path"])[0][:200_000].reshape(-1, 800) ** 2, axis=1)
        quietest.setdefault(row["room"], []).append(10 * np.log10(np.percentile(power, 5) / power.mean()))
    # More than the microphone's noise (−30 dB).
    assert min(quietest["hall"]) > -20
    assert max(quietest["studio"]) < -40


def f0_hz(wave):
    """Pitch from the highest peak of the autocorrelation between 60 and 400 Hz."""
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), 2 * len(wave))) ** 2
    correlation = np.fft.irfft(spectrum)[: len(wave)] / np.fft.irfft(spectrum)[0]
    lags = np.arange(RATE_HZ // 400, RATE_HZ // 60)
    # The window makes longer lags lower: of two periods, the first wins.
    return RATE_HZ / lags[correlation[lags].argmax()]


@pytest.mark.parametrize("vowel", VOWELS_HZ)
@pytest.mark.parametrize("voice", [LOW, HIGH, replace(LOW, f0_hz=150.0)], ids=lambda voice: f"{voice.f0_hz:g} Hz")
def test_f0_of_a_held_vowel(voice, vowel):
    wave = speak(voice, held(vowel, 0.5), rng())
    found = np.median([f0_hz(frame) for frame in wave[800:7200].reshape(-1, 800)])
    assert found == pytest.approx(voice.f0_hz, rel=0.02)


@pytest.mark.parametrize("voice", [LOW, HIGH], ids=lambda voice: voice.name)
def test_f0_of_speech(voice):
    wave = speak(voice, syllables(FRONT + BACK, 30, rng()), rng(1))
    frames = wave.reshape(-1, 800)
    power = np.mean(frames**2, axis=1)
    found = np.log2([f0_hz(frame) for frame in frames[power > np.median(power)]])
    assert 2 ** np.median(found) == pytest.approx(voice.f0_hz, rel=0.05)
    assert 0.08 < np.percentile(found, 84) - np.median(found) < 0.25, "an octave; not monotonous"


def formants_hz(wave, order, emphasis):
    """Frequencies of the poles below 500 Hz wide of a linear prediction (autocorrelation method)."""
    wave = np.append(wave[0], wave[1:] - emphasis * wave[:-1]) * np.hanning(len(wave))
    r = np.fft.irfft(np.abs(np.fft.rfft(wave, 2 * len(wave))) ** 2)[: order + 1]
    lags = np.abs(np.subtract.outer(np.arange(order), np.arange(order)))
    poles = np.roots(np.append(1, -np.linalg.solve(r[lags], r[1:])))
    poles = poles[(poles.imag > 0) & (-np.log(np.abs(poles)) * RATE_HZ / np.pi < 500)]
    return np.sort(np.angle(poles)) * RATE_HZ / (2 * np.pi)


@pytest.mark.parametrize("vowel", VOWELS_HZ)
@pytest.mark.parametrize("factor", [1.0, 1.2])
@pytest.mark.parametrize("whispered", [True, False], ids=["whispered", "voiced"])
def test_formants_of_a_held_vowel(vowel, factor, whispered):
    voice = Voice("tested", f0_hz=80.0, formant_factor=factor, tilt_db=0.0)
    wave = speak(voice, held(vowel, whispered=whispered), rng())
    # A whisper's source is white. A voice's falls, and shows the formants at its harmonics only: off by half a step.
    found = formants_hz(wave, 16, 0) if whispered else formants_hz(wave, 18, 0.9)
    slack = 0 if whispered else voice.f0_hz / 2
    set_hz = np.multiply(VOWELS_HZ[vowel], factor)
    assert np.all(np.abs(found[:3] - set_hz) <= 0.02 * set_hz + slack)


@pytest.mark.parametrize("peak_hz", [3800.0, 5500.0])
@pytest.mark.parametrize("factor", [1.0, 1.2])
def test_peak_of_frication(peak_hz, factor):
    tracks = np.tile((0.0, 0.0, 0.0, 0.1, peak_hz, 200.0, *VOWELS_HZ["i"]), (400, 1))
    wave = speak(replace(LOW, formant_factor=factor), tracks, rng())
    power = np.mean(np.abs(np.fft.rfft(wave.reshape(-1, 320))) ** 2, axis=0)
    assert power.argmax() * 50 == pytest.approx(peak_hz * factor, abs=100)


def test_tilt_of_the_source():
    plain, tilted = (
        np.abs(np.fft.rfft(speak(replace(LOW, tilt_db=tilt), held("ɛ"), rng()))) ** 2 for tilt in (0.0, 12.0)
    )
    hz = np.linspace(0, RATE_HZ / 2, len(plain))
    loss = [
        10 * np.log10(tilted[band].sum() / plain[band].sum())
        for band in ((hz > 200) & (hz < 500), (hz > 2700) & (hz < 3300))
    ]
    assert loss[1] - loss[0] == pytest.approx(-12, abs=3)


def decay_s(response):
    """RT60 from a line through Schroeder's backward integral between −5 and −35 dB of what it is after 5 ms."""
    energy = np.cumsum(response[::-1] ** 2)[::-1][RATE_HZ // 200 :]
    level = 10 * np.log10(energy / energy[0])
    first, last = np.argmax(level < -5), np.argmax(level < -35)
    return -60 / np.polyfit(np.arange(first, last) / RATE_HZ, level[first:last], 1)[0]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("room", [STUDIO, HALL, replace(HALL, rt60_s=0.6)], ids=lambda room: f"{room.rt60_s:g} s")
def test_rt60(room, seed):
    response = impulse_response(room, rng(seed))
    assert decay_s(response) == pytest.approx(room.rt60_s, rel=0.2)
    # And of a click that is recorded there with a perfect microphone.
    click = np.zeros(3 * RATE_HZ)
    click[0] = 1
    recorded = record(click, replace(OPEN_AIR, rt60_s=room.rt60_s), response, rng())
    # (It does not hear constant pressure: what a click leaves of that is in the silence at the end.)
    assert decay_s((recorded - recorded[-1])[: len(response)]) == pytest.approx(room.rt60_s, rel=0.2)


@pytest.mark.parametrize("room", [STUDIO, HALL], ids=lambda room: room.name)
def test_direct_sound_and_slope_of_the_reverberation(room):
    response = impulse_response(room, rng())
    assert np.all(response[1 : RATE_HZ // 200] == 0)
    assert 10 * np.log10(response[0] ** 2 / np.sum(response[1:] ** 2)) == pytest.approx(room.direct_db, abs=0.01)
    power = np.abs(np.fft.rfft(response[1:])) ** 2
    hz = np.linspace(0, RATE_HZ / 2, len(power))
    low, high = (power[(hz > centre / 1.4) & (hz < centre * 1.4)].mean() for centre in (500, 4000))
    assert 10 * np.log10(high / low) / 3 == pytest.approx(room.tilt_db, abs=0.5)


@pytest.mark.parametrize("room", [STUDIO, HALL], ids=lambda room: room.name)
def test_microphone(room):
    white = rng().standard_normal(60 * RATE_HZ)
    heard = record(white, replace(room, noise_db=-300.0), np.ones(1), rng(1))
    gain = np.abs(np.fft.rfft(heard)) / np.abs(np.fft.rfft(white))
    hz = np.linspace(0, RATE_HZ / 2, len(gain))
    low, high = room.band_hz
    beyond = -10 * np.log10(1 + 1.5**8)
    for at, expected in ((low / 1.5, beyond), (low, -3.01), (1000, 0), (high, -3.01), (high * 1.5, beyond)):
        if at < RATE_HZ / 2:
            assert 20 * np.log10(gain[np.argmin(np.abs(hz - at))]) == pytest.approx(expected, abs=0.1)

    half = np.where(np.arange(len(white)) < len(white) // 2, white, 0)
    noisy = record(half, replace(OPEN_AIR, noise_db=room.noise_db), np.ones(1), rng(1))
    floor = np.var(noisy[len(white) // 2 :]) / np.mean(half**2)
    assert 10 * np.log10(floor) == pytest.approx(room.noise_db, abs=0.1)


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
