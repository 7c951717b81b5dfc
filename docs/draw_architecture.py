"""Draw ``docs/architecture.svg`` from the code: packages, their layers, and the data flow.

    python docs/draw_architecture.py            # write the drawing
    python docs/draw_architecture.py --tree     # print the packages with line counts and public names

The layers are those of the import contract in ``pyproject.toml``; what a package is for is the first line of its
docstring.
"""

from __future__ import annotations

import argparse
import ast
import textwrap
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).parent.parent
FLOW = (
    ("audio files", "a folder or a table", False),
    ("manifest", "which recordings", True),
    ("audio", "decode, cut", True),
    ("encoders", "snippet to vector", True),
    ("store", "one row a snippet", True),
    ("scoring", "triplets counted by kernels", True),
    ("statistics", "intervals, tests", True),
    ("results", "tables", True),
    ("figures", "drawings", True),
    ("report", "the page", True),
)
"""Steps of the data: name, what happens, and whether it is a package."""
SPANS = (("embedding", 1, 4), ("study", 1, 9))
"""Packages that carry out several steps: name, first and last step."""
WIDTH, MARGIN = 1180, 20
BOX, GAP, ROW = 96, 18, 58
INK, SOFT, FILL, LINE = "#23262b", "#6b7079", "#eef3f8", "#3f86bd"


def package_folder(name: str) -> Path:
    """Return the folder of a package; kernels and export lie beside abxfast."""
    return ROOT / name if name in ("kernels", "export") else ROOT / "abxfast" / name


def describe_package(name: str) -> tuple[str, list[str], int]:
    """Return the first line of a package's docstring, its public names and its number of lines."""
    folder = package_folder(name)
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    summary = (ast.get_docstring(tree) or "").partition("\n")[0].rstrip(".")
    names = [
        ast.literal_eval(element)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
        for element in getattr(node.value, "elts", ())
    ]
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in folder.rglob("*.py"))
    return summary, names, lines


def read_layers() -> list[list[str]]:
    """Read the layers of packages from the import contract, the highest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "layers")
    rows = [[name.strip().removeprefix("abxfast.") for name in layer.split("|")] for layer in layers]
    return [[name for name in row if package_folder(name).is_dir()] for row in rows]


def draw() -> str:
    """Return the drawing as SVG."""
    parts: list[str] = []
    top = _draw_flow(parts)
    height = _draw_layers(parts, top)
    style = "font-family: system-ui, sans-serif; font-size: 12px"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'style="{style}">\n<title>Packages of abxfast and their data flow</title>\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _draw_flow(parts: list[str]) -> int:
    parts.append(_text(MARGIN, 30, "Data flow", size=15, weight="bold"))
    for index, (name, what, is_package) in enumerate(FLOW):
        left = MARGIN + index * (BOX + GAP)
        parts.append(_box(left, 48, BOX, 44, dashed=not is_package))
        parts.append(_text(left + BOX / 2, 74, name, anchor="middle", weight="bold"))
        parts += [
            _text(left + BOX / 2, 108 + 14 * row, line, anchor="middle", colour=SOFT, size=11)
            for row, line in enumerate(textwrap.wrap(what, 16))
        ]
        if index:
            parts.append(_arrow(left - GAP + 2, 70, left - 3, 70))
    for row, (name, first, last) in enumerate(SPANS):
        left, right = MARGIN + first * (BOX + GAP), MARGIN + last * (BOX + GAP) + BOX
        bottom = 152 + 24 * row
        parts.append(f'<path d="M{left} {bottom - 8} v8 H{right} v-8" fill="none" stroke="{LINE}" stroke-width="1.2"/>')
        parts.append(_text((left + right) / 2, bottom + 13, f"{name} runs these steps", anchor="middle", colour=SOFT))
    encoder = MARGIN + 3 * (BOX + GAP) + BOX / 2
    parts.append(_box(encoder - 170, 222, 130, 36))
    parts.append(_text(encoder - 105, 244, "export", anchor="middle", weight="bold"))
    parts.append(_text(encoder - 182, 244, "checkpoint →", anchor="end", colour=SOFT))
    parts.append(_text(encoder - 30, 244, "→ an ONNX file that keeps the encoder contract, for encoders", colour=SOFT))
    return 300


def _draw_layers(parts: list[str], top: int) -> int:
    parts.append(
        _text(MARGIN, top, "Layers: a package imports from those below it, never from above", size=15, weight="bold")
    )
    rows = [row for row in read_layers() if row]
    rows.append(["kernels"])
    rows[rows.index(["study"])].append("export")
    for index, names in enumerate(rows):
        y = top + 16 + index * ROW
        width = (WIDTH - 2 * MARGIN - GAP * (len(names) - 1)) / len(names)
        for column, name in enumerate(names):
            left = MARGIN + column * (width + GAP)
            summary, _, _ = describe_package(name)
            parts.append(_box(left, y, width, ROW - 14))
            parts.append(_text(left + 12, y + 27, name, weight="bold"))
            offset = 24 + 8.2 * len(name)
            shown = textwrap.shorten(
                summary.partition(": ")[2] or summary, int((width - offset) / 6.4), placeholder=" …"
            )
            parts.append(_text(left + offset, y + 27, shown, colour=SOFT))
    return top + 16 + len(rows) * ROW + 10


def _box(left: float, top: float, width: float, height: float, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return (
        f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="5" fill="{"none" if dashed else FILL}" '
        f'stroke="{LINE}"{dash}/>'
    )


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", colour: str = INK, size: int = 12, weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{colour}" font-size="{size}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )


def _arrow(x0: float, y0: float, x1: float, y1: float) -> str:
    return f'<path d="M{x0:g} {y0:g} L{x1:g} {y1:g} m-5 -4 l5 4 l-5 4" fill="none" stroke="{LINE}" stroke-width="1.2"/>'


def main() -> None:
    """Write the drawing, or print the packages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", action="store_true", help="print the packages with line counts and public names")
    if parser.parse_args().tree:
        names = [name for row in read_layers() for name in row]
        for name in [*names, "kernels", "export"]:
            summary, public, lines = describe_package(name)
            print(f"{name} ({lines:,} lines): {summary}")
            print(textwrap.fill(", ".join(public) or "–", 110, initial_indent="    ", subsequent_indent="    "))
        return
    (ROOT / "docs" / "architecture.svg").write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
