"""Build the documentation as a site that needs no network: ``build/site/index.html``.

    pip install '.[docs]'
    python docs/build.py            # warnings are errors
    python docs/build.py --serve    # builds again whenever a page in build/docs changes

The pages are those of this folder, the measurements of ``benchmarks``, and the reference, which is made from the program
(``reference_pages.py``). All are gathered in ``build/docs``, where Zensical finds them.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

from reference_pages import PAGES

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "docs"
BUILD = ROOT / "build"
SUFFIXES = (".md", ".svg", ".png", ".css", ".js")
MEASUREMENTS = "benchmarks/RESULTS.md"
_TO_MEASUREMENTS = re.compile(r"\]\(\.\./(?P<rest>(?:\.\./)*benchmarks/)")
_TO_DOCS = "](../docs/"


def gather(pages: Path) -> None:
    """Copy all pages and pictures into one folder, with the pages that are made from the program."""
    shutil.rmtree(pages, ignore_errors=True)
    for path in sorted(SOURCE.rglob("*")):
        if path.suffix in SUFFIXES:
            _copy(path, pages / path.relative_to(SOURCE))
    for path in sorted((ROOT / "benchmarks").rglob("*.png")):
        _copy(path, pages / path.relative_to(ROOT))
    _copy(ROOT / MEASUREMENTS, pages / MEASUREMENTS)
    for name, write in PAGES.items():
        target = pages / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(write(), encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    """Copy a file; in a page, links between this folder and the measurements become links within the site."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".md":
        text = source.read_text(encoding="utf-8")
        text = _TO_MEASUREMENTS.sub(r"](\g<rest>", text).replace(_TO_DOCS, "](../")
        target.write_text(text, encoding="utf-8")
    else:
        shutil.copyfile(source, target)


def main() -> None:
    """Gather the pages, and build or serve the site."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", action="store_true", help="serve the site on this machine, too")
    arguments = parser.parse_args()
    gather(BUILD / "docs")
    config = shutil.copyfile(SOURCE / "zensical.toml", BUILD / "zensical.toml")
    words = ["serve"] if arguments.serve else ["build", "--strict", "--clean"]
    command = [sys.executable, "-m", "zensical", *words, "--config-file", config.name]
    sys.exit(subprocess.run(command, cwd=BUILD, check=False).returncode)  # noqa: S603


if __name__ == "__main__":
    main()
