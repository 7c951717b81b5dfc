"""What the ``mfcc`` baseline hears in real speech: recording condition, phonetic content, voice.

    python benchmarks/studies/speech.py --fetch speech            # Debian's packages, through apt; about 70 MB
    python benchmarks/studies/speech.py speech [--encoder FILE] [--json]

Audio: 568 prompts of one voice at 8 kHz, each used once, as wav or as gsm (asterisk-core-sounds-en-wav and -gsm), and
40 syllables that two speakers of Mandarin share (gcin-voice). None of it is kept in the project. ``experiments.py``
takes klettres-data besides.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import abxfast

PACKAGES = ("asterisk-core-sounds-en-wav", "asterisk-core-sounds-en-gsm", "gcin-voice", "klettres-data")
RATE_HZ = 8_000
RECORDINGS = 3
"""Recordings to join for each condition: some four minutes each."""
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
    """Give the prompts, each a path without a suffix, in the order of their names."""
    sounds = packages / "usr/share/asterisk/sounds/en_US_f_Allison"
    return sorted(path.with_suffix("") for path in sounds.rglob("*.wav"))


def read_prompt(stem: Path, condition: str) -> np.ndarray:
    """Give a prompt as it is kept, ``wav`` or ``gsm``: int16 at `RATE_HZ`."""
    if condition == "gsm":
        return soundfile.read(
            stem.with_suffix(".gsm"), dtype="int16", samplerate=RATE_HZ, channels=1, format="RAW", subtype="GSM610"
        )[0]
    return soundfile.read(stem.with_suffix(".wav"), dtype="int16")[0]


def join_prompts(packages: Path, folder: Path) -> Path:
    """Join the prompts, dealt out at random (seed 0), into recordings of either condition; give the manifest."""
    stems = list_prompts(packages)
    order = np.random.default_rng(0).permutation(len(stems))
    rows = []
    for number in range(2 * RECORDINGS):
        condition = ("wav", "gsm")[number % 2]
        prompts = [read_prompt(stems[i], condition) for i in order[number :: 2 * RECORDINGS]]
        path = folder / f"{condition}-{number // 2 + 1}.wav"
        soundfile.write(path, np.concatenate(prompts), RATE_HZ, subtype="PCM_16")
        rows.append({"path": path.name, "condition": condition})
    return write_manifest(folder / "conditions.csv", rows)


def list_syllables(packages: Path, folder: Path) -> Path:
    """Give a manifest of the syllables of both voices, where they lie."""
    sounds = (packages / "usr/share/gcin-voice/ogg").resolve()
    rows = [
        {"path": str(sounds / syllable / f"{number}.ogg"), "syllable": syllable, "voice": voice}
        for syllable in SYLLABLES
        for number, voice in VOICES.items()
    ]
    return write_manifest(folder / "syllables.csv", rows)


def measure(packages: Path, folder: Path, encoder: str) -> list[dict[str, Any]]:
    """Embed and score the three designs; a row for each task, with the mean score over its cells by variant."""
    stores = {}
    for name, manifest, snippets in (
        ("conditions", join_prompts(packages, folder), [10.0]),
        ("syllables", list_syllables(packages, folder), ["whole"]),
    ):
        stores[name] = folder / f"{name}.store"
        report = abxfast.embed(manifest, stores[name], encoder=encoder, snippets=snippets)
        if report.failures:
            raise SystemExit("\n".join(reason for _, reason in report.failures))
    condition = {f"{kind}-{n + 1}.wav": kind for kind in ("wav", "gsm") for n in range(RECORDINGS)}
    other = {(a, b) for a in condition for b in condition if condition[a] != condition[b]}
    same = {(a, b) for a in condition for b in condition if a != b and condition[a] == condition[b]}
    designs: list[tuple[str, str, dict[str, Any], set[tuple[str, str]] | None]] = [
        ("recording condition: wav against gsm", "conditions", {"on": "recording"}, other),
        ("  control: two recordings of one condition", "conditions", {"on": "recording"}, same),
        ("phonetic content", "syllables", {"on": "syllable", "across": ["voice"]}, None),
        ("voice", "syllables", {"on": "voice"}, None),
        ("  voice, the syllable held still", "syllables", {"on": "voice", "across": ["syllable"]}, None),
    ]
    variants = abxfast.score_store(stores["conditions"]).encoder, _variants(stores["conditions"])
    rows = []
    for title, store, task, pairs in designs:
        row: dict[str, Any] = {"design": title, "encoder": variants[0]}
        for variant in variants[1]:
            scores = abxfast.score_store(stores[store], variant=variant, **task)
            cells = [
                cell
                for cell in scores.table.to_pylist()
                if pairs is None or (cell["recording"], cell["recording_b"]) in pairs
            ]
            row["task"] = str(scores.task)
            row["snippets"] = "whole" if scores.snippet == "whole" else f"{scores.snippet} s"
            row["cells"] = len(cells)
            row["triplets"] = sum(cell["triplets"] for cell in cells)
            row[variant] = sum(cell["score"] for cell in cells) / len(cells)
        rows.append(row)
    return rows


def _variants(store: Path) -> list[str]:
    return list(json.loads((store / "store.json").read_text(encoding="utf-8"))["variants"])


def write_manifest(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write rows as a table, and give its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def to_markdown(rows: list[dict[str, Any]]) -> str:
    """Give the table that the README shows."""
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
    """Fetch, or measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("packages", type=Path, help="folder with the unpacked packages")
    parser.add_argument("--fetch", action="store_true", help="download them into it first, and stop")
    parser.add_argument("--encoder", default="mfcc")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.fetch:
        fetch(arguments.packages)
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(arguments.packages, Path(folder), arguments.encoder)
    print(json.dumps(rows, ensure_ascii=False) if arguments.json else to_markdown(rows))


if __name__ == "__main__":
    main()
