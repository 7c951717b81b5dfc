"""Fuzz one reader of foreign files with atheris: anything but success or one of abxfast's own errors is a find.

``python tests/fuzz/run.py decoder -max_total_time=600`` needs the extra ``fuzz``. Seeds are made anew, in the folder
``.fuzz/NAME``; what crashes is written there as ``crash-…``. All options after the name are libFuzzer's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import atheris

READERS = ("abxfast.audio", "abxfast.encoders", "abxfast.manifest", "abxfast.store", "abxfast.study.config")
with atheris.instrument_imports(include=[*READERS, "abxfast.study.toml_lines", "abxfast.study.toml_table"]):
    import numpy as np
    import soundfile

    from abxfast.audio import stream
    from abxfast.encoders import Encoder, find_encoder
    from abxfast.errors import AbxfastError
    from abxfast.manifest import read_manifest
    from abxfast.store import open_store
    from abxfast.study.config import read_study

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_BYTES = 200_000
WORK = Path(mkdtemp(prefix="abxfast-fuzz-"))


def decode(raw: bytes) -> None:
    """Decode a recording; the first byte says what its name ends with."""
    suffixes = (".wav", ".ogg", ".mp3", ".flac", ".aiff", ".w64", ".gsm", ".au")
    path = WORK / f"a{suffixes[raw[0] % len(suffixes)]}"
    path.write_bytes(raw[1:])
    for _ in stream(path, 16_000, timeout_s=10):
        pass


def read_table(raw: bytes) -> None:
    """Read a manifest."""
    path = WORK / "t.csv"
    path.write_bytes(raw)
    read_manifest(path, need_audio=False)


def read_study_file(raw: bytes) -> None:
    """Read a study file."""
    path = WORK / "study.toml"
    path.write_bytes(raw)
    read_study(path)


def open_damaged_store(raw: bytes) -> None:
    """Open a store; the first byte says whether its header or a part is replaced."""
    root = WORK / "s.store"
    (root / "parts").mkdir(parents=True, exist_ok=True)
    header = (
        b'{"format": 1, "encoder": "e", "encoder_sha256": "e", "variants": ["v"], "default_variant": "v", "dim": 3, '
    )
    header += b'"rate_hz": 16000}'
    is_header = raw[0] % 2 == 0
    (root / "store.json").write_bytes(raw[1:] if is_header else header)
    part = root / "parts" / "part.parquet"
    part.unlink(missing_ok=True)
    if not is_header:
        part.write_bytes(raw[1:])
    open_store(root)


def open_encoder_file(raw: bytes) -> None:
    """Open an ONNX file."""
    path = WORK / "e.onnx"
    path.write_bytes(raw)
    Encoder(path, "cpu", timeout_s=10)


def audio_seeds() -> Iterator[bytes]:
    """Yield a tenth of a second of noise in several formats."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(1_600)
    for number, (container, codec) in enumerate(
        (("WAV", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"), ("FLAC", "PCM_16"), ("AIFF", "PCM_16"))
    ):
        path = WORK / "seed"
        soundfile.write(path, noise, 16_000, format=container, subtype=codec)
        yield bytes([number]) + path.read_bytes()


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], Iterator[bytes]]]] = {
    "decoder": (decode, audio_seeds),
    "manifest": (read_table, lambda: iter((b"path,item,start_s,end_s\na.wav,x,0,1\n", b"path;tone\na.wav;5\n"))),
    "study": (
        read_study_file,
        lambda: iter((b'[study]\nrecordings = "."\nsnippets = [1]\n[experiment.e]\non = "recording"\n',)),
    ),
    "store": (open_damaged_store, lambda: iter((b'\0{"format": 1}', b"\1PAR1"))),
    "encoder": (open_encoder_file, lambda: iter((find_encoder("mfcc").read_bytes(),))),
}


def main() -> None:
    """Run the target that the command line names."""
    name, *options = sys.argv[1:] or ["?"]
    if name not in TARGETS:
        sys.exit(f"expected one of {', '.join(TARGETS)}, then options of libFuzzer such as -max_total_time=600")
    target, seeds = TARGETS[name]
    corpus = Path(".fuzz") / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)

    def test(raw: bytes) -> None:
        try:
            target(raw or b"\0")
        except AbxfastError as error:
            if "\n" in str(error):
                raise AssertionError(str(error)) from error

    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what decoders print
    atheris.Setup(
        [sys.argv[0], str(corpus), f"-artifact_prefix={corpus}/", f"-max_len={MAX_BYTES}", "-timeout=60", *options],
        test,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
