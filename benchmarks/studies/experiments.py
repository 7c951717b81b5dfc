"""The paper's three designs, and a fourth across languages, on real speech: four studies, run by ``abxfast run``.

    python benchmarks/studies/speech.py --fetch speech             # Debian's packages, through apt; about 70 MB
    apt-get install festival festvox-kallpc16k             # speaks and sings
    python benchmarks/studies/experiments.py run FOLDER --speech speech [--encoder FILE]
    python benchmarks/studies/experiments.py tell FOLDER [--figure FILE]

``run`` makes recordings and manifests in FOLDER, and carries out the studies of ``benchmarks/studies`` there: with
``mfcc``, and with ``--encoder``, for which RESULTS.md takes an encoder of seeded weights in the shape of XLSR-53:
``full.int8.onnx``, made by ``benchmarks/encoding/embed.py make``. It can be stopped, and goes on. ``tell`` prints the tables of
RESULTS.md and draws the figures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

STUDIES = Path(__file__).parent
MATRICES = ("conditions", "voice")
"""Studies whose matrices ``tell`` draws besides."""
OWN_ENCODER = 'encoders = ["mfcc"]'


def run(name, folder, speech, encoder):
    """Make the recordings of a study unless they are there, and carry it out."""
    from recordings import DESIGNS

    own = folder / name
    own.mkdir(parents=True, exist_ok=True)
    if not (own / "recordings.csv").exists():
        DESIGNS[name](speech, own)
    text = (STUDIES / f"{name}.toml").read_text(encoding="utf-8")
    if encoder is not None:
        text = text.replace(OWN_ENCODER, f'encoders = ["mfcc", {json.dumps(str(encoder.resolve()))}]')
    study = own / "study.toml"
    study.write_text(text, encoding="utf-8")
    abxfast = [sys.executable, "-c", "from abxfast.cli.app import main; main()"]
    for verb in ("plan", "run"):
        subprocess.run([*abxfast, verb, study, "-o", own / "results"], check=True)  # noqa: S603


def main():
    """Run, or tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("run", "tell"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--speech", type=Path, help="folder with the unpacked packages; for run")
    parser.add_argument("--encoder", type=Path, help="an ONNX file to stand beside mfcc; for run")
    parser.add_argument("--figure", type=Path, help="PNG to draw, and matrices beside it; for tell")
    parser.add_argument("--only", help="one study: conditions, voice, segments, languages")
    wish = parser.parse_args()
    names = [wish.only] if wish.only else [path.stem for path in sorted(STUDIES.glob("*.toml"))]
    if wish.verb == "run":
        if wish.speech is None:
            parser.error("run needs --speech")
        for name in names:
            run(name, wish.folder, wish.speech, wish.encoder)
        return
    from tables import draw, draw_matrices, to_markdown

    for name in names:
        print(f"\n### {name}\n\n{to_markdown(wish.folder / name / 'results')}")
    if wish.figure is not None:
        draw(wish.folder, wish.figure)
        for name in MATRICES:
            draw_matrices(wish.folder / name / "results", wish.figure.with_stem(f"{wish.figure.stem}-{name}"))


if __name__ == "__main__":
    main()
