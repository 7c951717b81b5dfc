"""Run the paper's three designs, and a fourth across languages, on real speech, as studies of ``abxfast run``.

    python benchmarks/studies/speech.py --fetch speech    # Debian's packages, through apt; about 70 MB
    apt-get install festival festvox-kallpc16k            # speaks and sings
    python benchmarks/studies/experiments.py run FOLDER --speech speech [--encoder FILE]
    python benchmarks/studies/experiments.py report FOLDER [--figure FILE]

``run`` makes recordings and manifests in FOLDER and runs the studies of ``benchmarks/studies`` on them, with ``mfcc``
and with the encoder of ``--encoder``. For RESULTS.md that is ``full.int8.onnx`` of ``benchmarks/encoding/embed.py
make``, which has seeded weights in the shape of XLSR-53. A stopped run can be continued. ``report`` prints the tables
of RESULTS.md and draws the figures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

STUDIES = Path(__file__).parent
MATRICES = ("conditions", "voice")
"""Studies whose matrices ``report`` draws as well."""
ENCODERS_LINE = 'encoders = ["mfcc"]'
"""Of each study; replaced to add an encoder."""


def run(name, folder, speech, encoder):
    """Make the recordings of a study if they are missing, and run it."""
    from recordings import DESIGNS

    study_folder = folder / name
    study_folder.mkdir(parents=True, exist_ok=True)
    if not (study_folder / "recordings.csv").exists():
        DESIGNS[name](speech, study_folder)
    text = (STUDIES / f"{name}.toml").read_text(encoding="utf-8")
    if encoder is not None:
        text = text.replace(ENCODERS_LINE, f'encoders = ["mfcc", {json.dumps(str(encoder.resolve()))}]')
    study = study_folder / "study.toml"
    study.write_text(text, encoding="utf-8")
    abxfast = [sys.executable, "-c", "from abxfast.cli.app import main; main()"]
    for command in ("plan", "run"):
        subprocess.run([*abxfast, command, study, "-o", study_folder / "results"], check=True)  # noqa: S603


def report(names, folder, figure):
    """Print the tables of the studies, and draw the figures if `figure` is given."""
    from tables import draw, draw_matrices, to_markdown

    for name in names:
        print(f"\n### {name}\n\n{to_markdown(folder / name / 'results')}")
    if figure is not None:
        draw(folder, figure)
        for name in set(names).intersection(MATRICES):
            draw_matrices(folder / name / "results", figure.with_stem(f"{figure.stem}-{name}"))


def main():
    """Parse the command line, and run or report the studies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("run", "report"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--speech", type=Path, help="for run: folder with the unpacked packages")
    parser.add_argument("--encoder", type=Path, help="for run: an ONNX file to use in addition to mfcc")
    parser.add_argument("--figure", type=Path, help="for report: PNG to draw, with matrices beside it")
    studies = sorted(path.stem for path in STUDIES.glob("*.toml"))
    parser.add_argument("--only", choices=studies, help="one study; by default all")
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else studies
    if arguments.command == "report":
        report(names, arguments.folder, arguments.figure)
        return
    if arguments.speech is None:
        parser.error("run needs --speech")
    for name in names:
        run(name, arguments.folder, arguments.speech, arguments.encoder)


if __name__ == "__main__":
    main()
