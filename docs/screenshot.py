"""Take the picture of a study's page that the README and the documentation show.

    python docs/screenshot.py                        # runs the demo and its study first
    python docs/screenshot.py --page report.html -o picture.png --width 390 --height 2000

Needs Chromium or Chrome, and the extra ``report``.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PICTURE = Path(__file__).parent / "images" / "page.png"
WIDTH, HEIGHT = 1200, 1700
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def make_page(folder: Path) -> Path:
    """Run the demo and its study in a folder; return the page."""
    abxfast = [sys.executable, "-c", "from abxfast.cli import main; main()"]
    demo, results = folder / "abxfast-demo", folder / "results"
    subprocess.run([*abxfast, "demo", demo], check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    subprocess.run([*abxfast, "run", demo / "study.toml", "-o", results], check=True)  # noqa: S603
    return results / "report.html"


def photograph(page: Path, picture: Path, width: int, height: int) -> None:
    """Write the top of a page as PNG."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"none of {', '.join(BROWSERS)} is installed")
    picture.parent.mkdir(exist_ok=True)
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-color-profile=srgb"]
    size = [f"--window-size={width},{height}", f"--screenshot={picture.resolve()}"]
    subprocess.run([browser, *options, *size, page.resolve().as_uri()], check=True, stderr=subprocess.DEVNULL)  # noqa: S603


def main() -> None:
    """Parse the command line and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, help="a page that exists already")
    parser.add_argument("-o", "--output", type=Path, default=PICTURE)
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--height", type=int, default=HEIGHT)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = arguments.page or make_page(Path(folder))
        photograph(page, arguments.output, arguments.width, arguments.height)


if __name__ == "__main__":
    main()
