"""Score real speech with the ``mfcc`` baseline: recording condition, phonetic content, voice.

    python benchmarks/studies/speech.py --fetch speech            # Debian's packages, through apt; about 70 MB
    python benchmarks/studies/speech.py speech [--encoder FILE] [--json]

Audio: 568 prompts of one voice at 8 kHz, each used once, as wav or as gsm (asterisk-core-sounds-en-wav and -gsm), and
40 syllables that two speakers of Mandarin share (gcin-voice). None of it is part of the project. ``experiments.py``
also uses klettres-data.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

import abxfast
from abxfast.store import open_store

PACKAGES = ("asterisk-core-sounds-en-wav", "asterisk-core-sounds-en-gsm", "gcin-voice", "klettres-data")
RATE_HZ = 8_000
N_RECORDINGS = 3
"""Per condition, of about four minutes each."""
VOICES = {"3": "voice 3", "5": "voice 5"}
SYLLABLES = (
    *("ㄅㄚ1", "ㄅㄥ2", "ㄆㄛ3", "ㄆㄥ4", "ㄇㄛ1", "ㄇㄤ2", "ㄈㄚ2", "ㄈㄨ3", "ㄉㄧ4", "ㄊㄚ3"),
    *("ㄊㄧㄠ2", "ㄋㄚ3", "ㄋㄧㄡ2", "ㄌㄞ2", "ㄌㄧ4", "ㄌㄨ3", "ㄍㄠ4", "ㄍㄨㄢ3", "ㄎㄣ3", "ㄏㄞ3"),
    *("ㄏㄨㄚ4", "ㄐㄧ2", "ㄐㄩ2", "ㄑㄧㄢ2", "ㄒㄧ3", "ㄒㄩㄝ2", "ㄓㄞ4", "ㄓㄨㄢ3", "ㄔㄢ4", "ㄔㄨㄤ3"),
    *("ㄕㄢ3", "ㄕㄨㄣ4", "ㄖㄨㄟ3", "ㄗㄥ4", "ㄘㄠ3", "ㄙㄜ4", "ㄚ4", "ㄤ4", "ㄧㄣ2", "ㄨㄟ4"),
)


def fetch(folder: Path) -> None:
    """Download the packages and unpack them into `folder`, without installing them."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        subprocess.run(["apt-get", "download", "-q", package], cwd=folder, check=True)  # noqa: S603, S607
        archive = next(folder.glob(f"{package}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", archive.name, "."], cwd=folder, check=True)  # noqa: S603, S607
        archive.unlink()


def list_prompts(packages: Path) -> list[Path]:
    """Return the prompts as paths without suffix, sorted by name."""
    sounds = packages / "usr/share/asterisk/sounds/en_US_f_Allison"
    return sorted(path.with_suffix("") for path in sounds.rglob("*.wav"))


def read_prompt(stem: Path, condition: str) -> np.ndarray:
    """Read a prompt in one condition, ``wav`` or ``gsm``: int16 at `RATE_HZ`."""
    if condition == "gsm":
        return soundfile.read(
            stem.with_suffix(".gsm"), dtype="int16", samplerate=RATE_HZ, channels=1, format="RAW", subtype="GSM610"
        )[0]
    return soundfile.read(stem.with_suffix(".wav"), dtype="int16")[0]


def join_prompts(packages: Path, folder: Path) -> Path:
    """Join the prompts at random (seed 0) into recordings of both conditions; return the path of the manifest."""
    stems = list_prompts(packages)
    order = np.random.default_rng(0).permutation(len(stems))
    rows = []
    for number in range(2 * N_RECORDINGS):
        condition = ("wav", "gsm")[number % 2]
        prompts = [read_prompt(stems[i], condition) for i in order[number :: 2 * N_RECORDINGS]]
        path = folder / f"{condition}-{number // 2 + 1}.wav"
        soundfile.write(path, np.concatenate(prompts), RATE_HZ, subtype="PCM_16")
        rows.append({"path": path.name, "condition": condition})
    return write_manifest(folder / "conditions.csv", rows)


def list_syllables(packages: Path, folder: Path) -> Path:
    """Write a manifest of the syllables of both voices, in place, and return its path."""
    sounds = (packages / "usr/share/gcin-voice/ogg").resolve()
    rows = [
        {"path": str(sounds / syllable / f"{number}.ogg"), "syllable": syllable, "voice": voice}
        for syllable in SYLLABLES
        for number, voice in VOICES.items()
    ]
    return write_manifest(folder / "syllables.csv", rows)


class Design(NamedTuple):
    """One row of the table.

    Attributes
    ----------
    title, store : str
        `store` is ``conditions`` or ``syllables``.
    task : dict
        Options of `abxfast.score_store`.
    pairs : set of (str, str), optional
        The pairs of recordings that count; by default all.
    """

    title: str
    store: str
    task: dict[str, Any]
    pairs: set[tuple[str, str]] | None = None


def list_designs() -> list[Design]:
    """Return the designs, each control after its design."""
    condition = {f"{name}-{n + 1}.wav": name for name in ("wav", "gsm") for n in range(N_RECORDINGS)}
    pairs = set(itertools.permutations(condition, 2))
    different = {(a, b) for a, b in pairs if condition[a] != condition[b]}
    return [
        Design("recording condition: wav against gsm", "conditions", {"on": "recording"}, different),
        Design("  control: two recordings of one condition", "conditions", {"on": "recording"}, pairs - different),
        Design("phonetic content", "syllables", {"on": "syllable", "across": ["voice"]}),
        Design("voice", "syllables", {"on": "voice"}),
        Design("  voice, the syllable held still", "syllables", {"on": "voice", "across": ["syllable"]}),
    ]


def measure(packages: Path, folder: Path, encoder: str) -> list[dict[str, Any]]:
    """Embed and score; return one row per design, with the mean score over its cells for each variant."""
    manifests = {
        "conditions": (join_prompts(packages, folder), [10.0]),
        "syllables": (list_syllables(packages, folder), ["whole"]),
    }
    stores = {name: folder / f"{name}.store" for name in manifests}
    for name, (manifest, snippets) in manifests.items():
        report = abxfast.embed(manifest, stores[name], encoder=encoder, snippets=snippets)
        if report.failures:
            raise SystemExit("\n".join(reason for _, reason in report.failures))
    variants = list(open_store(stores["conditions"]).variants)
    return [score_design(design, stores[design.store], variants) for design in list_designs()]


def score_design(design: Design, store: Path, variants: list[str]) -> dict[str, Any]:
    """Return the row of a design."""
    row: dict[str, Any] = {"design": design.title}
    for variant in variants:
        scores = abxfast.score_store(store, variant=variant, **design.task)
        cells = scores.table.to_pylist()
        if design.pairs is not None:
            cells = [cell for cell in cells if (cell["recording"], cell["recording_b"]) in design.pairs]
        row |= {
            "encoder": scores.encoder,
            "task": str(scores.task),
            "snippets": "whole" if scores.snippet == "whole" else f"{scores.snippet} s",
            "cells": len(cells),
            "triplets": sum(cell["triplets"] for cell in cells),
            variant: sum(cell["score"] for cell in cells) / len(cells),
        }
    return row


def write_manifest(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write a manifest, and return its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def to_markdown(rows: list[dict[str, Any]]) -> str:
    """Return the table of docs/case-studies.md."""
    variants = [name for name in rows[0] if "." in name]
    lines = [
        f"| design | task | snippets | triplets | {' | '.join(variants)} |",
        f"|---|---|---|--:|{'--:|' * len(variants)}",
    ]
    for row in rows:
        scores = " | ".join(f"{row[name]:.3f}" for name in variants)
        lines.append(
            f"| {row['design'].strip()} | {row['task']} | {row['snippets']} | {row['triplets']:,} | {scores} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Fetch the packages, or measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path, help="folder with the unpacked packages")
    parser.add_argument("--fetch", action="store_true", help="only download and unpack them")
    parser.add_argument("--encoder", default="mfcc")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    arguments = parser.parse_args()
    if arguments.fetch:
        fetch(arguments.packages)
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(arguments.packages, Path(folder), arguments.encoder)
    print(json.dumps(rows, ensure_ascii=False) if arguments.json else to_markdown(rows))


if __name__ == "__main__":
    main()
