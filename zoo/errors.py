"""What can go wrong, and with which exit code the command line ends.

Every error is one sentence for the person who gets it: what is wrong, where, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterable

DONE = 0
FAILED = 1
USAGE = 2
SKIPPED = 3
PARITY = 4


class ZooError(Exception):
    """Base of every error that the zoo raises on purpose."""

    exit_code = FAILED


class UsageError(ZooError):
    """The request itself is wrong: an unknown name, an option that does not exist, a value out of range."""

    exit_code = USAGE


class InputError(ZooError):
    """A file given as input cannot be used; a run over many inputs skips it and goes on."""


class ModelError(ZooError):
    """A model file does not load, or does not fit the card it is used with."""


class WeightsError(ZooError):
    """Weights cannot be had: not found, hash mismatch, no network allowed."""


class LicenceError(WeightsError):
    """The licence policy in force refuses these weights."""


class PluginError(ZooError):
    """A plugin that was asked for by name is broken, too old, too new or in conflict with another."""


class ParityError(ZooError):
    """A converted model does not give what the original gives. `table` has a line for each comparison."""

    exit_code = PARITY

    def __init__(self, message: str, table: str = "") -> None:
        super().__init__(message)
        self.table = table


class RuntimeMissingError(ZooError):
    """No installed runtime can execute the model; the message says what to install."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """`` Did you mean X?`` when a name in `known` is close to `name`, else an empty string."""
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""
