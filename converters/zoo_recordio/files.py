"""Which files make a set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo.errors import InputError


@dataclass(frozen=True)
class Files:
    """The files of a set; those beside `rec` may be missing."""

    rec: Path

    @property
    def idx(self) -> Path:
        """Keys and offsets."""
        return self.rec.with_suffix(".idx")

    @property
    def lst(self) -> Path:
        """Names of the images."""
        return self.rec.with_suffix(".lst")

    @property
    def meta(self) -> Path:
        """Labels again, as the Python package of insightface pickles them."""
        return self.rec.with_suffix(".meta")

    @property
    def property(self) -> Path:
        """Number of classes, height and width."""
        return self.rec.with_name("property")


def find(path: Path) -> Files:
    """The files of the set at `path`, a ``.rec`` file or its folder. Raises `InputError` when there is none, or several
    in the folder of which none is ``train.rec``."""
    if not path.is_dir():
        return Files(path)
    found = sorted(path.glob("*.rec"))
    if path / "train.rec" in found:
        return Files(path / "train.rec")
    if len(found) == 1:
        return Files(found[0])
    if found:
        raise InputError(f"{path} has {len(found)} .rec files and no train.rec; name one of them, {found[0].name} say.")
    raise InputError(f"{path} has no .rec file.")
