"""Fonts that cover every character of the labels: IPA, Chinese, whatever the names of recordings contain."""

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
"""Comes with matplotlib and covers the IPA."""
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
"""Tried before all other installed families."""
_PLACEHOLDER = "\N{WHITE SQUARE}"
_MAX_LISTED = 8
"""Missing characters that the warning lists."""


def choose_families(texts: Iterable[str]) -> tuple[list[str], set[str]]:
    """Choose installed font families that together cover every character of some texts.

    Parameters
    ----------
    texts : iterable of str

    Returns
    -------
    families : list of str
        In the order in which matplotlib is to look for a glyph.
    missing : set of str
        Characters that no installed font covers; one warning lists them.
    """
    missing = {char for text in texts for char in _to_single_line(text) if not char.isspace()} - _coverage(BASE)
    families = [BASE]
    if missing:
        _register_new_fonts()
    for family in _candidates() if missing else ():
        covered = missing & _coverage(family)
        if covered:
            families.append(family)
            missing -= covered
        if not missing:
            break
    if missing:
        listed = " ".join(f"{char} (U+{ord(char):04X})" for char in sorted(missing)[:_MAX_LISTED])
        more = f" and {len(missing) - _MAX_LISTED} more" if len(missing) > _MAX_LISTED else ""
        logger.warning(
            "no installed font has %s%s: figures show %s instead; install a font that does, "
            "such as Noto Sans CJK for Chinese",
            listed,
            more,
            _PLACEHOLDER,
        )
    return families, missing


def drawable(text: str, missing: set[str]) -> str:
    """Return a text as one line in which missing characters are replaced by a white square."""
    return "".join(_PLACEHOLDER if char in missing else char for char in _to_single_line(text))


def _to_single_line(text: str) -> str:
    """Replace undrawable characters (control, line breaks, surrogates, unassigned) by spaces; drop format characters.

    Format characters include those that change the direction of writing.
    """
    categories = ((char, unicodedata.category(char)) for char in text)
    return "".join(
        " " if category in ("Cc", "Cs", "Zl", "Zp", "Cn") else char for char, category in categories if category != "Cf"
    )


def _register_new_fonts() -> None:
    """Add fonts that were installed after matplotlib cached its list of fonts, which never expires."""
    known = {font.fname for font in fontManager.ttflist}
    for path in sorted(set(findSystemFonts()) - known):
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            fontManager.addfont(path)


def _candidates() -> Sequence[str]:
    installed = sorted({font.name for font in fontManager.ttflist if _is_regular(font)} - {BASE})
    preferred = [family for family in _PREFERRED if family in installed]
    sans = [family for family in installed if "Sans" in family]
    return list(dict.fromkeys([*preferred, *sans, *installed]))


def _is_regular(font: FontEntry) -> bool:
    # Last Resort, which comes with matplotlib, has a box for every character.
    return font.style == "normal" and font.weight in (400, "normal", "regular") and "Last Resort" not in font.name


@cache
def _coverage(family: str) -> frozenset[str]:
    """Return the characters of a family; none if it cannot be read."""
    for font in fontManager.ttflist:
        if font.name == family and _is_regular(font):
            with contextlib.suppress(OSError, RuntimeError, ValueError):
                return frozenset(chr(code) for code in get_font(font.fname).get_charmap())
    return frozenset()
