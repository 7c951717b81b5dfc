"""The command line: commands, options, and what is printed on the terminal.

Nothing imports this package. Commands import what they need when they run, so that ``--help`` is fast.
"""

from abxfast.cli.app import main

__all__ = ["main"]
