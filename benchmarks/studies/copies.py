"""How often copies of real speech are found, and how often different recordings are taken for copies.

    python benchmarks/studies/speech.py --fetch speech    # Debian's packages, through apt; about 70 MB
    python benchmarks/studies/copies.py speech [--step 6]

Every sixth prompt of at least 1.1 s is encoded in other ways, cut, and made worse. All pairs of different prompts whose
lengths are similar are compared as well. Prints the tables of RESULTS.md.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr
from speech import RATE_HZ, list_prompts, read_prompt

from abxfast.audio import find_audio_copies, measure_quality

MIN_S = 1.1


def write(path, wave, rate_hz=RATE_HZ, **options):
    """Write a recording, and return its path."""
    soundfile.write(path, wave, rate_hz, **options)
    return path


def versions(wave, folder):
    """Yield the name and path of each version of a recording."""
    wide = soxr.resample(wave, RATE_HZ, 16_000)
    rms = np.sqrt(np.mean(wave**2))
    noise = np.random.default_rng(0).standard_normal(len(wave))
    excess = round(min(3.3, 0.15 * len(wave) / RATE_HZ) * RATE_HZ)
    yield "GSM 06.10", write(folder / "gsm.wav", wave, subtype="GSM610")
    yield "µ-law", write(folder / "ulaw.wav", wave, subtype="ULAW")
    yield "IMA ADPCM", write(folder / "adpcm.wav", wave, subtype="IMA_ADPCM")
    yield "8 bits", write(folder / "8.wav", wave, subtype="PCM_U8")
    yield "Vorbis, lowest", write(folder / "v.ogg", wave, format="OGG", subtype="VORBIS", compression_level=1.0)
    yield "Opus", write(folder / "o.opus", wide, 16_000, format="OGG", subtype="OPUS")
    yield "Opus, lowest", write(folder / "p.opus", wide, 16_000, format="OGG", subtype="OPUS", compression_level=1.0)
    yield "MP3", write(folder / "m.mp3", wide, 16_000, format="MP3")
    yield "MP3, lowest", write(folder / "n.mp3", wide, 16_000, format="MP3", compression_level=0.99)
    yield "44.1 kHz", write(folder / "44.wav", soxr.resample(wave, RATE_HZ, 44_100), 44_100)
    yield "11.025 kHz", write(folder / "11.wav", soxr.resample(wave, RATE_HZ, 11_025), 11_025)
    yield "−30 dB", write(folder / "soft.wav", wave * 10**-1.5, subtype="FLOAT")
    yield "first 0.137 s cut off", write(folder / "cut.wav", wave[round(0.137 * RATE_HZ) :])
    yield "first 15% cut off, at most 3.3 s", write(folder / "cuts.wav", wave[excess:])
    yield "as much silence put before", write(folder / "pad.wav", np.concatenate((np.zeros(excess), wave)))
    yield "noise at 20 dB", write(folder / "n20.wav", wave + 0.1 * rms * noise, subtype="FLOAT")
    yield "noise at 10 dB", write(folder / "n10.wav", wave + 0.316 * rms * noise, subtype="FLOAT")
    yield "clipped by 18 dB", write(folder / "clip.wav", np.clip(8 * wave, -1, 1), subtype="FLOAT")


def measure(paths):
    """Return the copies among recordings, given by name."""
    quality = {name: measure_quality(path) for name, path in paths.items()}
    return find_audio_copies(
        {name: measured.fingerprint for name, measured in quality.items()},
        {name: measured.seconds for name, measured in quality.items()},
    )


def main():
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path, help="folder with the unpacked packages")
    parser.add_argument("--step", type=int, default=6, help="one prompt in so many is encoded otherwise")
    arguments = parser.parse_args()
    prompts = [stem for stem in list_prompts(arguments.packages) if stem.parent.name != "silence"]
    waves = {stem: read_prompt(stem, "wav") / 32768 for stem in prompts}
    waves = {stem: wave for stem, wave in waves.items() if len(wave) >= MIN_S * RATE_HZ}
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for wave in list(waves.values())[:: arguments.step]:
            original = write(Path(folder) / "original.wav", wave)
            for name, path in versions(wave, Path(folder)):
                copies = measure({"original": original, "version": path})
                found.setdefault(name, []).extend([copy.correlation for copy in copies] or [np.nan])
    print("| version | found | lowest correlation found |\n|---|--:|--:|")
    for name, correlations in found.items():
        n_found = int(np.isfinite(correlations).sum())
        print(f"| {name} | {n_found} of {len(correlations)} | {np.nanmin(correlations):.2f} |")
    copies = measure({str(stem): stem.with_suffix(".wav") for stem in waves})
    print(f"\n{len(waves)} different prompts: {len(copies)} pairs are taken for copies")
    for copy in copies:
        print(f"- {Path(copy.recording).name}, {Path(copy.other).name}: {copy.correlation:.2f}")


if __name__ == "__main__":
    main()
