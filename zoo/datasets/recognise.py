"""Which format a data set or a model is in: every installed format is asked how sure it is, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.catalogue import Entries
from zoo.datasets import patterns
from zoo.datasets.folders import is_image
from zoo.errors import UsageError
from zoo.options import make
from zoo.plugins import catalogue, resolve

if TYPE_CHECKING:
    from zoo.datasets.formats import Reader
    from zoo.specs import FormatSpec

SURE = 0.5
"""The least confidence with which a format is taken without being named."""

_SHOWN = 4
_TRIED = 8
_LISTED = 1000


@dataclass(frozen=True)
class Sniffed:
    """What the format `format` says of a path: its `confidence` in 0..1 and the `reason`, a phrase without a subject
    such as ``begins with the magic number of RecordIO``."""

    format: str
    confidence: float
    reason: str

    def __str__(self) -> str:
        return f"{self.format} ({self.confidence:.2f}: {self.reason.rstrip('.')})"


def recognise(path: Path, format: str = "") -> tuple[FormatSpec, tuple[Sniffed, ...]]:
    """The format of `path`, and what every format says of it, the surest first. A `format` that is named is taken.

    Raises `UsageError` when there is nothing at `path`, when no format of the name `format` is installed, and when no
    format is at least `SURE` or two are equally sure: then the sentence lists the likeliest with their reasons.
    """
    formats = catalogue().formats
    if not patterns.exists(path):
        raise UsageError(f"There is no file or folder {path}.")
    if format:
        return formats[format], (Sniffed(format, 1.0, "named by you"),)
    asked = ranked(path, formats)
    best = [found for found in asked if found.confidence == asked[0].confidence]
    if not best or best[0].confidence < SURE:
        why = f"{_candidates(asked)}.{_inside(path, formats)}"
        raise UsageError(f"{path} is in no format that is recognised for certain{why}")
    if len(best) > 1:
        raise UsageError(f"{path} may be in one of {len(best)} formats{_candidates(best)}.")
    return formats[best[0].format], asked


def ranked(path: Path, formats: Entries[FormatSpec]) -> tuple[Sniffed, ...]:
    """What each of `formats` that has a sniffer says of `path`, the surest first, equals by name. A sniffer that fails
    is not sure at all, and its reason is the error."""
    documents = {name: formats.document(name) for name in formats}
    found = [_sniff(name, document["sniff"], path) for name, document in documents.items() if document["sniff"]]
    return tuple(sorted(found, key=lambda sniffed: (-sniffed.confidence, sniffed.format)))


def _sniff(name: str, sniffer: str, path: Path) -> Sniffed:
    try:
        confidence, reason = resolve(sniffer)(path)
        if not 0 <= confidence <= 1:
            raise ValueError(f"its confidence is {confidence}, not 0 to 1")
        return Sniffed(name, float(confidence), str(reason))
    except Exception as error:  # one broken sniffer must not hide the others
        said = " ".join(str(error).split()) or type(error).__name__
        return Sniffed(name, 0.0, f"cannot look at it: {said}")


def _candidates(asked: Sequence[Sniffed]) -> str:
    likely = [found for found in asked if found.confidence > 0][:_SHOWN]
    if likely:
        return f": {'; '.join(map(str, likely))}. Name the right one with --from {likely[0].format}"
    return f": none of the {len(asked)} that were asked knows it; name one of `zoo list formats` with --from"


def _inside(path: Path, formats: Entries[FormatSpec]) -> str:
    """A sentence on which of a few files in the folder `path` are data sets, for people who named the folder instead;
    empty where none is."""
    if not path.is_dir():
        return ""
    files = (file for file in islice(path.iterdir(), _LISTED) if file.is_file() and not is_image(file.name))
    listed = sorted(files)[:_TRIED]
    told = ((file.name, ranked(file, formats)[0]) for file in listed)
    found = [f"{name} ({best.format})" for name, best in told if best.confidence >= SURE]
    return f" In it are {', '.join(found)}: name the file." if found else ""


def open_reader(spec: FormatSpec, path: Path, options: Any = None) -> Reader:
    """The reader of the data set at `path`; `options` is an instance of the format's options dataclass, None for its
    defaults.

    Raises `UsageError` for a format that is not of data sets or cannot be read, `PluginError` when its code cannot be
    loaded, and `InputError` for a set that cannot be read.
    """
    if not spec.reader:
        why = "is a format of models, not of data sets" if "model" in spec.kinds else "can be written, but not read"
        raise UsageError(f"{path} cannot be read as a data set: {spec.name} {why}.")
    reader: Reader = resolve(spec.reader)(path, read_options(spec, {}) if options is None else options)
    return reader


def read_options(spec: FormatSpec, values: Mapping[str, Any]) -> Any:
    """The format's options for reading, from texts or values by name; None for a format that has none.

    Raises `UsageError` that names an unknown option or a value that does not fit.
    """
    if spec.read_options:
        cls: Any = resolve(spec.read_options)
        return make(cls, values)
    for name in values:
        raise UsageError(f"There is no option {name!r}: the format {spec.name} has no options for reading.")
    return None


def to_documents(asked: Sequence[Sniffed]) -> list[dict[str, Any]]:
    """`asked` as plain data."""
    return [asdict(found) for found in asked]
