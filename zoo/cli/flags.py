"""Options dataclasses as flags and as ``key=value`` words."""

from __future__ import annotations

import re
from pathlib import Path

import click

from zoo.options import Option

OVERRIDE = re.compile(r"([a-z][a-z0-9_.]*)=(.*)", re.DOTALL)


def flag(option: Option) -> click.Option:
    """The flag of one option; its value arrives as text, None when it was not given."""
    name = option.name.replace("_", "-")
    if option.kind is dict:
        return click.Option(
            [f"--{name}"],
            metavar="NAME=VALUE",
            multiple=True,
            callback=lambda _context, _parameter, words: _pairs(words),
            help=option.help,
        )
    default = ",".join(option.default) if option.many else option.default
    shown = "" if default in ("", None) else f" (default: {str(default).lower() if option.kind is bool else default})"
    if option.kind is bool:
        return click.Option([f"--{name}/--no-{name}", option.name], default=None, help=option.help + shown)
    wants = "|".join(option.choices) or {int: "N", float: "X", str: "TEXT"}[option.kind]
    return click.Option([f"--{name}", option.name], metavar=wants, help=option.help + shown)


def _pairs(words: tuple[str, ...]) -> dict[str, str] | None:
    """What a flag that maps names to values was given, one a time; None where it was not given."""
    pairs = [word.partition("=") for word in words]
    wrong = next((name for name, sign, _ in pairs if not sign), None)
    if wrong is not None:
        raise click.BadParameter(f"{wrong!r} is no NAME=VALUE.")
    return {name: value for name, _, value in pairs} or None


def divide(words: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
    """Inputs and ``key=value`` overrides; an existing file called ``a=b`` is an input."""
    inputs, overrides = [], {}
    for word in words:
        match = OVERRIDE.fullmatch(word)
        if match and not Path(word).exists():
            overrides[match[1]] = match[2]
        else:
            inputs.append(word)
    return inputs, overrides
