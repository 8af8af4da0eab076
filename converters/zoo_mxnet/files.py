"""The two files of an MXNet model: ``PREFIX-symbol.json`` and ``PREFIX-0001.params``, where the number is an epoch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import ModelError

SYMBOL = "-symbol.json"
PARAMS = ".params"


@dataclass(frozen=True)
class Pair:
    """A network and its weights; None for the file that is not there."""

    symbol: Path | None
    params: Path | None

    def both(self) -> tuple[Path, Path]:
        """The two. Raises `ModelError` that says which one is missing."""
        if self.symbol is None:
            raise ModelError(
                f"{self.params} holds weights alone, and what network they belong to stands in a file"
                f" {_prefix(self.params)}{SYMBOL} beside it, which is not there."
            )
        if self.params is None:
            raise ModelError(f"Beside {self.symbol} there is no file of weights, such as {_like(self.symbol)}.")
        return self.symbol, self.params


def pair(path: Path) -> Pair:
    """The files that `path` means: one of the two, or what their names begin with. Of several epochs, the last one.
    A file that is called like neither holds weights."""
    if path.name.endswith(PARAMS) or (path.is_file() and not path.name.endswith(SYMBOL)):
        symbol = path.with_name(_prefix(path) + SYMBOL)
        return Pair(symbol if symbol.is_file() else None, path)
    symbol = path if path.name.endswith(SYMBOL) else path.with_name(path.name + SYMBOL)
    prefix = symbol.name.removesuffix(SYMBOL)
    epochs = re.compile(re.escape(prefix) + r"(-\d{4,})?" + re.escape(PARAMS))
    beside = symbol.parent.iterdir() if symbol.parent.is_dir() else ()
    found = sorted(file for file in beside if epochs.fullmatch(file.name))
    return Pair(symbol if symbol.is_file() else None, found[-1] if found else None)


def files(path: Path) -> tuple[Path, ...]:
    """The files of the model at `path` that are there."""
    found = pair(path)
    return tuple(file for file in (found.symbol, found.params) if file)


def tensors(path: Path) -> Mapping[str, tuple[int, ...]]:
    """Names, as MXNet has them, and shapes of the model's arrays. Raises `ModelError` where there are none."""
    from zoo_mxnet import params  # needs NumPy, which the sniffer must not import

    found = pair(path)
    return params.shapes(found.params or found.both()[1])


def _prefix(path: Path | None) -> str:
    return re.sub(r"(-\d{4,})?\.params$", "", path.name) if path else ""


def _like(symbol: Path) -> str:
    return symbol.name.removesuffix(SYMBOL) + "-0000" + PARAMS
