"""How to install what is missing, in the environment that abxfast runs in."""

from __future__ import annotations

import sys


def install_command(requirement: str) -> str:
    """Return the command that installs a package, or an extra of abxfast, into the running environment.

    It is the same for an installation from a clone and one from a wheel: pip finds abxfast installed, and adds what the
    extra lists.

    Parameters
    ----------
    requirement : str
        Such as ``abxfast[report]`` or ``pandas``.
    """
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    return f'{python} -m pip install "{requirement}"'
