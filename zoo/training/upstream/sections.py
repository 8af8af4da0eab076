"""A configuration read with an account of it: what was honoured, what cannot change training, and what is left over.

Whoever reads a section takes what it honours and leaves what cannot matter; all else is refused when the account is
settled, unless the user has said that it may be ignored. So a field that nobody thought of is told, and not lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.errors import UsageError

EVERYTHING = "all"
"""What `Account.ignore` says where anything may be ignored."""

_SHOWN = 60
"""So many characters of a value are told."""


@dataclass
class Account:
    """What the configuration `file` says and is not honoured. `ignore` are names of fields, plain or dotted, or
    `EVERYTHING`; `refused` gives for the dotted name of a field what is told of it."""

    file: Path
    ignore: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)

    def root(self, document: Mapping[str, Any]) -> Section:
        """The whole `document` as a section."""
        return Section(self, "", document)

    def settle(self) -> tuple[str, ...]:
        """What was ignored, as the user is told it. Raises `UsageError` for what may not be."""
        for section in self.sections:
            section.close()
        barred = [name for name in self.refused if not self._ignored(name)]
        if barred:
            told = "; ".join(self.refused[name] for name in barred)
            words = ",".join(dict.fromkeys(map(_short, barred)))
            raise UsageError(
                f"{self.file} asks for what this training does not do: {told}. Change the file, or train without it by"
                f" ignore={words}"
            )
        return tuple(self.refused.values())

    def wrong(self, why: str) -> UsageError:
        """The error of a file that is no configuration, or of another kind."""
        return UsageError(f"{self.file}: {why}.")

    def _ignored(self, name: str) -> bool:
        """Whether a name, or a part of it, may be ignored; ``type`` alone would mean too much."""
        named = (one for one in self.ignore if one != "type")
        return any(one == EVERYTHING or f".{one}." in f".{name}." for one in named)


class Section:
    """A dictionary of a configuration, `path` its dotted name."""

    def __init__(self, account: Account, path: str, values: Mapping[str, Any]) -> None:
        self.account, self.path, self.values = account, path, values
        self._seen: set[str] = set()
        account.sections.append(self)

    def __contains__(self, name: str) -> bool:
        """Whether it says anything but None of `name`."""
        return self.values.get(name) is not None

    def dotted(self, name: str) -> str:
        """The dotted name of the field `name`."""
        return f"{self.path}.{name}" if self.path else name

    def take(self, name: str, default: Any = None) -> Any:
        """What it says of `name`, which is honoured from now on."""
        self._seen.add(name)
        return self.values.get(name, default)

    def number(self, name: str, default: float | None = None, least: float | None = None) -> float:
        """A number of at least `least`. Raises `UsageError` for another, or where it is missing and has no default."""
        return self._number(name, self.take(name, default), least)

    def whole(self, name: str, default: int | None = None, least: int = 0) -> int:
        """A whole number of at least `least`. Raises `UsageError` as `number`."""
        found = self.number(name, default, least)
        if found != int(found):
            raise self.wrong(name, "a whole number")
        return int(found)

    def numbers(self, name: str, default: Iterable[float] | None = None, length: int = 0) -> tuple[float, ...]:
        """Numbers, as many as `length` says where that is not 0. Raises `UsageError` as `number`."""
        found = self.take(name, default)
        if not isinstance(found, list | tuple) or not found or (length and len(found) != length):
            raise self.wrong(name, f"{length or 'a list of'} numbers")
        return tuple(self._number(name, one, None) for one in found)

    def section(self, name: str, default: Mapping[str, Any] | None = None) -> Section:
        """The dictionary `name`. Raises `UsageError` where it is none, or is missing and has no default."""
        found = self.take(name)
        found = default if found is None else found
        if not isinstance(found, Mapping):
            raise self.wrong(name, "a dictionary")
        return Section(self.account, self.dotted(name), found)

    def items(self, name: str) -> list[Section]:
        """The dictionaries of the list `name`, each called by its ``type``. Raises `UsageError` for anything else."""
        found = self.take(name)
        if not isinstance(found, list | tuple) or not all(isinstance(one, Mapping) for one in found):
            raise self.wrong(name, "a list of dictionaries")
        return [Section(self.account, self.dotted(f"{name}.{one.get('type')}"), one) for one in found]

    def want(self, name: str, wanted: Any, default: Any = None, hint: str = "") -> None:
        """Refuse any value of `name` but the `wanted` one; `default` is what its absence means, where that differs."""
        absent = wanted if default is None else default
        if _plain(self.take(name, absent)) != _plain(wanted):
            self.refuse(name, hint or f"here it is {wanted!r}")

    def is_a(self, kind: str) -> bool:
        """Whether its ``type`` is `kind`; another is refused, and what it says besides with it."""
        if self.take("type") == kind:
            return True
        self.refuse("type", f"here it is {kind}")
        self.leave_all()
        return False

    def leave(self, *names: str) -> None:
        """Take note of fields that never change training."""
        self._seen.update(names)

    def leave_all(self) -> None:
        """Take note of all that has not been looked at."""
        self._seen.update(self.values)

    def refuse(self, name: str, hint: str = "") -> None:
        """Put down that `name` is not honoured; `hint` says what is done in its place."""
        self._seen.add(name)
        told = f"{self.dotted(name)} = {_shown(self.values.get(name))}"
        self.account.refused[self.dotted(name)] = f"{told} ({hint})" if hint else told

    def close(self) -> None:
        """Refuse what nobody has looked at."""
        for name in self.values:
            if name not in self._seen:
                self.refuse(name)

    def wrong(self, name: str, wanted: str) -> UsageError:
        """The error of a value that is not `wanted`."""
        if name not in self.values:
            return self.account.wrong(f"it does not say {self.dotted(name)}, where {wanted} is needed")
        return self.account.wrong(f"{self.dotted(name)} is {_shown(self.values[name])} and not {wanted}")

    def _number(self, name: str, found: Any, least: float | None) -> float:
        right = isinstance(found, int | float) and not isinstance(found, bool) and abs(found) < float("inf")
        if not right or (least is not None and found < least):
            raise self.wrong(name, "a number" if least is None else f"a number of at least {least:g}")
        return float(found)


def _short(name: str) -> str:
    """A name that is short and yet says what is meant: that of a ``type`` says of what."""
    *front, last = name.split(".")
    return ".".join([*front[-1:], last]) if last == "type" else last


def _plain(value: Any) -> Any:
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
