"""Fonts that have every letter of the labels: IPA, Chinese, whatever the recordings are called."""

from __future__ import annotations

import contextlib
import logging
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from matplotlib.font_manager import FontEntry, findSystemFonts, fontManager, get_font

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

logger = logging.getLogger(__name__)

BASE = "DejaVu Sans"
"""Comes with matplotlib, and has the IPA."""
_PREFERRED = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Noto Sans",
    "Charis SIL",
    "Doulos SIL",
    "Arial Unicode MS",
)
"""Looked at before all others that are installed."""
_HOLE = "\N{WHITE SQUARE}"


def clean(text: str) -> str:
    """Make one line of a name: what cannot be drawn is a space, and what turns the direction of writing is left out."""
    kinds = ((letter, unicodedata.category(letter)) for letter in text)
    return "".join(" " if kind in ("Cc", "Cs", "Zl", "Zp", "Cn") else letter for letter, kind in kinds if kind != "Cf")


def choose_families(texts: Iterable[str]) -> tuple[list[str], set[str]]:
    """Choose installed fonts until every letter has one.

    Returns
    -------
    families : list of str
        In the order in which matplotlib should look.
    missing : set of str
        Letters that no installed font has; what they are is logged, once, in one line.
    """
    left = {letter for text in texts for letter in clean(text) if not letter.isspace()} - _letters(BASE)
    families = [BASE]
    if left:
        _look_again()
    for family in _candidates() if left else ():
        there = left & _letters(family)
        if there:
            families.append(family)
            left -= there
        if not left:
            break
    if left:
        shown = " ".join(f"{letter} (U+{ord(letter):04X})" for letter in sorted(left)[:8])
        more = f" and {len(left) - 8} more" if len(left) > 8 else ""  # noqa: PLR2004
        logger.warning(
            "no installed font has %s%s: figures show %s instead; install one, such as Noto Sans CJK for Chinese",
            shown,
            more,
            _HOLE,
        )
    return families, left


def drawable(text: str, missing: set[str]) -> str:
    """Make of a name what the chosen fonts can draw."""
    return "".join(_HOLE if letter in missing else letter for letter in clean(text))


def _look_again() -> None:
    """Find fonts that were installed after matplotlib made its list, which it keeps for good."""
    known = {font.fname for font in fontManager.ttflist}
    for path in sorted(set(findSystemFonts()) - known):
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            fontManager.addfont(path)


def _candidates() -> Sequence[str]:
    installed = sorted({font.name for font in fontManager.ttflist if _plain(font)} - {BASE})
    preferred = [family for family in _PREFERRED if family in installed]
    sans = [family for family in installed if "Sans" in family]
    return list(dict.fromkeys([*preferred, *sans, *installed]))


def _plain(font: FontEntry) -> bool:
    # The font called Last Resort, which comes with matplotlib, has a box for every letter.
    return font.style == "normal" and font.weight in (400, "normal", "regular") and "Last Resort" not in font.name


@cache
def _letters(family: str) -> frozenset[str]:
    for font in fontManager.ttflist:
        if font.name == family and _plain(font):
            with contextlib.suppress(OSError, RuntimeError, ValueError):
                return frozenset(chr(code) for code in get_font(font.fname).get_charmap())
    return frozenset()
