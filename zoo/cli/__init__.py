"""The command line: click commands, one file each, and no logic of their own."""

from __future__ import annotations

import sys


def main() -> None:
    """The command ``zoo``. The version is answered before anything else is imported."""
    if sys.argv[1:] == ["--version"]:
        from zoo import __version__

        print(f"zoo {__version__}")
        return
    from zoo.cli.app import run

    sys.exit(run())
