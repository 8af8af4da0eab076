"""Writing a folder of images with a list of pairs."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo import names
from zoo.datasets.beside import copy_image
from zoo.datasets.formats import About, Part, Writer
from zoo.datasets.sample import RAW, Sample
from zoo.datasets.streams import Growing, part_path
from zoo.errors import InputError
from zoo_verification.options import WritePairsOptions
from zoo_verification.pairing import PairPart, add, notes
from zoo_verification.pairs import PATH

_LFW = re.compile(r"(?P<name>[^/\s]+)/(?P=name)_(?P<number>\d{4,9})")


class PairsWriter(Writer):
    """Writes images under the paths that they had in their source, and the list beside them."""

    def __init__(self, work: Path, options: Any = None, about: About | None = None) -> None:
        super().__init__(work, options or WritePairsOptions(), about)
        self._lines = Growing(work / "lines")
        self._account: Counter[str] = Counter()

    def part(self, number: int, first: int) -> Part:
        """A part that writes images where they belong, and lines of its own."""
        return _PairsPart(part_path(self.work, number), self.out, self.options)

    def append(self, number: int, facts: Mapping[str, Any]) -> None:
        """Append the lines of a part."""
        self._lines.append(part_path(self.work, number))
        add(self._account, facts)

    def finish(self) -> None:
        """Put the list beside the images; LFW's begins with the number of folds and of pairs."""
        self._lines.write(b"")
        self._lines.close()
        self.out.mkdir(parents=True, exist_ok=True)
        lfw = self.options.style == "lfw"
        with (self.out / ("pairs.txt" if lfw else "pairs_label.txt")).open("wb") as stream:
            if lfw:
                stream.write(b"1\t%d\n" % self._account["pairs"])
            with self._lines.path.open("rb") as source:
                shutil.copyfileobj(source, stream)

    def state(self) -> dict[str, Any]:
        """The size of the list, and the account."""
        return {"lines": self._lines.size, "account": dict(self._account)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Cut the list back."""
        self._lines.cut(state.get("lines", 0))
        self._account = Counter(state.get("account", {}))

    def notes(self) -> dict[str, Any]:
        """What became of the images."""
        return notes(self._account)


class _PairsPart(PairPart[str]):
    """The pairs of one unit: images, and lines."""

    def __init__(self, path: Path, out: Path, options: WritePairsOptions) -> None:
        super().__init__()
        self._stream = path.open("wb")
        self._out, self._parts, self._lfw = out, path.parent, options.style == "lfw"

    def prepare(self, sample: Sample) -> str:
        """The path of the image without its suffix: as in the source, or else by its key."""
        if sample.image is None:
            raise InputError(f"{sample.key} has no image.")
        path = sample.extra.get(PATH)
        if not isinstance(path, str) or re.search(r"\s", path) or names.relative(path) != path:
            return names.flat(re.sub(r"\s", "_", sample.key))
        return path.rpartition(".")[0] or path

    def put(self, first: Sample, second: Sample, prepared: tuple[str, str]) -> None:
        """Two images and a line."""
        same = bool(second.same)
        stems = _lfw_names(prepared, same, second.pair or 0) if self._lfw else prepared
        paths = [self._store(sample, stem) for sample, stem in zip((first, second), stems, strict=True)]
        line = _lfw_line(stems, same) if self._lfw else f"{paths[0]} {paths[1]} {int(same)}"
        self._stream.write(f"{line}\n".encode())
        self.account["pairs"] += 1

    def close(self) -> dict[str, Any]:
        """What became of the images."""
        self._stream.close()
        return {"account": dict(self.account)}

    def _store(self, sample: Sample, stem: str) -> str:
        image = sample.image
        suffix = ".png" if image is None or image.format == RAW else image.suffix
        copy_image(self._out, f"{stem}{suffix}", sample, self._parts)
        return f"{stem}{suffix}"


def _lfw_names(stems: tuple[str, str], same: bool, pair: int) -> tuple[str, str]:
    """The stems as LFW has them, made up where they are not: as LFW tells who it is by the name alone."""
    found = [_LFW.fullmatch(stem) for stem in stems]
    if all(found) and (found[0]["name"] == found[1]["name"]) == same:  # type: ignore[index]
        return stems
    first, second = (f"pair{pair:06d}",) * 2 if same else (f"pair{pair:06d}a", f"pair{pair:06d}b")
    return f"{first}/{first}_0001", f"{second}/{second}_{'0002' if same else '0001'}"


def _lfw_line(stems: tuple[str, str], same: bool) -> str:
    (first, i), (second, j) = (stem.rpartition("/")[2].rsplit("_", 1) for stem in stems)
    columns = [first, str(int(i)), str(int(j))] if same else [first, str(int(i)), second, str(int(j))]
    return "\t".join(columns)
