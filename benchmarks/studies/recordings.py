"""Make the recordings of ``benchmarks/studies/experiments.py`` and their manifests from Debian's packages."""

from __future__ import annotations

import subprocess

import numpy as np
import soundfile
import soxr
from speech import RATE_HZ, SYLLABLES, VOICES, list_prompts, read_prompt, write_manifest

CHANNELS = ("wav", "mulaw", "gsm")
N_TEXTS = 6
"""Per study; each text is one recording in every condition or genre."""
MIN_TEXT_S = 160.0
"""Length of a text of prompts, which is eight snippets of 20 s."""
WORDS_PER_TEXT = 450
"""Of a text that is spoken and sung: about as long as a text of prompts."""
WORDS_PER_LINE = 8
VOCABULARY = (
    *("day", "night", "sun", "moon", "rain", "wind", "snow", "field", "hill", "stone", "bird", "tree", "leaf", "road"),
    *("home", "bell", "boat", "lake", "fire", "smoke", "bread", "milk", "salt", "hand", "eye", "child", "dog", "horse"),
    *(
        "sheep",
        "wool",
        "door",
        "roof",
        "path",
        "star",
        "cloud",
        "spring",
        "fall",
        "cold",
        "warm",
        "old",
        "young",
        "long",
    ),
    *("short", "green", "white", "black", "red", "come", "go", "run", "walk", "sing", "sleep", "wake", "call", "hear"),
    *("see", "keep", "lose", "find", "give", "take"),
)
SCALE = ("G2", "A2", "C3", "D3", "E3", "G3", "A3")
"""Notes of the melodies: pentatonic, within the range of the voice."""
BEATS_PER_MINUTE = 80
CLASSES = {
    "initial": {"stop": "ㄅㄆㄉㄊㄍㄎ", "sibilant": "ㄐㄑㄒㄓㄔㄕㄗㄘㄙ", "sonorant": "ㄇㄋㄌㄖ"},
    "ending": {"vowel": "ㄚㄛㄜㄝ", "-i": "ㄞㄟ", "-u": "ㄠㄡ", "-n": "ㄢㄣ", "-ng": "ㄤㄥ"},
}
"""Classes of Mandarin syllables by their first and by their last letter; other letters are in no class."""
N_LISTS = 3
"""Recordings per class and speaker."""
MIN_LANGUAGE_S, MAX_LANGUAGE_S = 20.0, 120.0
"""Length of the letters, and of the syllables, of a language."""
LANGUAGE_RATE_HZ = 44_100


def make_conditions(packages, folder):
    """Divide the prompts at random (seed 0) into texts of equal length, and put each text through every channel."""
    prompts = list_prompts(packages)
    texts, seconds = [[] for _ in range(N_TEXTS)], np.zeros(N_TEXTS)
    for i in np.random.default_rng(0).permutation(len(prompts)):
        shortest = int(seconds.argmin())
        if seconds[shortest] < MIN_TEXT_S:
            texts[shortest].append(prompts[i])
            seconds[shortest] += len(read_prompt(prompts[i], "wav")) / RATE_HZ
    rows = []
    for number, text in enumerate(texts, 1):
        for channel in CHANNELS:
            wave = np.concatenate([read_prompt(prompt, "gsm" if channel == "gsm" else "wav") for prompt in text])
            path = folder / f"{channel}-{number}.wav"
            soundfile.write(path, wave, RATE_HZ, subtype="ULAW" if channel == "mulaw" else "PCM_16")
            rows.append({"path": path.name, "condition": channel} | _text_columns(number))
    return write_manifest(folder / "recordings.csv", rows)


def make_voice(_packages, folder):
    """Speak and sing texts of random words with festival, each text to a random melody of its own."""
    rows = []
    for text in range(N_TEXTS):
        random = np.random.default_rng(text)
        words = random.choice(VOCABULARY, WORDS_PER_TEXT).tolist()
        lines = [words[i : i + WORDS_PER_LINE] for i in range(0, len(words), WORDS_PER_LINE)]
        spoken, sung = folder / f"spoken-{text + 1}.txt", folder / f"sung-{text + 1}.xml"
        spoken.write_text("".join(f"{' '.join(line).capitalize()}.\n" for line in lines), encoding="utf-8")
        sung.write_text(_to_song(lines, random), encoding="utf-8")
        for source, mode in ((spoken, ()), (sung, ("-mode", "singing"))):
            path = source.with_suffix(".wav")
            subprocess.run(["text2wave", *mode, source, "-o", path], check=True)  # noqa: S603, S607
            rows.append({"path": path.name, "genre": path.name.partition("-")[0]} | _text_columns(text + 1))
    return write_manifest(folder / "recordings.csv", sorted(rows, key=lambda row: row["genre"] == "sung"))


def _text_columns(number):
    """Return the columns of a text; parity is the control, since nothing else distinguishes even from odd texts."""
    return {"text": f"text {number}", "parity": ("even", "odd")[number % 2]}


def _to_song(lines, random):
    """Return festival's XML of a random walk along the scale, with a longer note and a rest at the end of each line."""
    step, notes = len(SCALE) // 2, []
    for line in lines:
        for number, word in enumerate(line):
            step = min(max(step + int(random.choice([-2, -1, -1, 1, 1, 2])), 0), len(SCALE) - 1)
            beats = 0.8 if number == len(line) - 1 else random.choice([0.4, 0.4, 0.6])
            notes.append(f'<PITCH NOTE="{SCALE[step]}"><DURATION BEATS="{beats}">{word}</DURATION></PITCH>')
        notes.append('<REST BEATS="0.4"></REST>')
    head = (
        '<?xml version="1.0"?>\n<!DOCTYPE SINGING PUBLIC "-//SINGING//DTD SINGING mark up//EN" "Singing.v0_1.dtd" []>'
    )
    return "\n".join([head, f'<SINGING BPM="{BEATS_PER_MINUTE}">', *notes, "</SINGING>", ""])


def make_segments(packages, folder):
    """Join the syllables of each class in random order (seed 0), and list all single syllables of both speakers."""
    sounds = (packages / "usr/share/gcin-voice/ogg").resolve()
    names = sorted(path.name for path in sounds.iterdir() if all((path / f"{n}.ogg").exists() for n in VOICES))
    random = np.random.default_rng(0)
    rows = []
    for column, values in CLASSES.items():
        for value in values:
            members = [name for name in names if _class_of(name, column) == value]
            order = random.permutation(len(members))
            for number, voice in VOICES.items():
                for part in range(N_LISTS):
                    joined = [soundfile.read(sounds / members[i] / f"{number}.ogg") for i in order[part::N_LISTS]]
                    path = folder / f"{value.strip('-')}-{number}-{part + 1}.wav"
                    soundfile.write(path, np.concatenate([wave for wave, _ in joined]), joined[0][1], subtype="PCM_16")
                    rows.append(
                        {"path": path.name, "recording": path.stem, "kind": f"list by {column}", "voice": voice}
                        | {"initial": "", "ending": "", "syllable": "", "chosen": "", column: value}
                    )
    rows += [
        {"path": str(sounds / name / f"{number}.ogg"), "recording": f"{name}-{number}", "kind": "syllable"}
        | {"voice": voice, **{column: _class_of(name, column) for column in CLASSES}}
        | {"syllable": name, "chosen": "yes" if name in SYLLABLES else ""}
        for name in names
        for number, voice in VOICES.items()
    ]
    return write_manifest(folder / "recordings.csv", rows)


def _class_of(syllable, column):
    """Return the class of a syllable, empty if it is in none."""
    letter = syllable[0] if column == "initial" else syllable.rstrip("12345")[-1]
    return next((value for value, letters in CLASSES[column].items() if letter in letters), "")


def make_languages(packages, folder):
    """Join the letters, and the syllables, of each language of KLettres that has 20 s of both."""
    sounds = packages / "usr/share/klettres"
    rows = []
    for language in sorted(path.name for path in sounds.iterdir() if (path / "alpha").is_dir()):
        waves = {
            kind: _join(sounds / language / name) for kind, name in (("letters", "alpha"), ("syllables", "syllab"))
        }
        if min(len(wave) for wave in waves.values()) < MIN_LANGUAGE_S * LANGUAGE_RATE_HZ:
            continue
        for kind, wave in waves.items():
            path = folder / f"{language}-{kind}.wav"
            soundfile.write(path, wave[: int(MAX_LANGUAGE_S * LANGUAGE_RATE_HZ)], LANGUAGE_RATE_HZ, subtype="PCM_16")
            rows.append({"path": path.name, "language": language, "kind": kind})
    return write_manifest(folder / "recordings.csv", rows)


def _join(folder):
    """Return the files of a folder, joined in random order (seed 0), mono, at `LANGUAGE_RATE_HZ`."""
    files = sorted(folder.glob("*.ogg"))
    waves = []
    for i in np.random.default_rng(0).permutation(len(files)):
        wave, rate_hz = soundfile.read(files[i], dtype="float32", always_2d=True)
        waves.append(soxr.resample(wave.mean(axis=1), rate_hz, LANGUAGE_RATE_HZ))
    return np.concatenate(waves) if waves else np.zeros(0, np.float32)


DESIGNS = {
    "conditions": make_conditions,
    "voice": make_voice,
    "segments": make_segments,
    "languages": make_languages,
}
"""By study: the function that makes its recordings and manifest, from the folder of packages, in another folder."""
