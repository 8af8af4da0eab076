"""WIDER FACE's own labels as MATLAB files: ``wider_face_val.mat``, and ``wider_easy_val.mat`` and the like, which list
the faces that count in one setting of the evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.datasets.beside import FILE, FOLDER, ImageFolder, UniqueKeys, key_of
from zoo.datasets.decimals import FARTHEST, corners
from zoo.datasets.formats import UNIT, About, Reader, Unit
from zoo.datasets.sample import Annotation, Broken, Sample
from zoo.errors import InputError
from zoo_widerface.matlab import Value, load
from zoo_widerface.options import MatReadOptions
from zoo_widerface.widertxt import ATTRIBUTES, annotate

SETTINGS = ("easy", "medium", "hard")
"""The settings of WIDER FACE's evaluation, each with the faces of the one before."""

_NEEDED = ("event_list", "file_list", "face_bbx_list")
_KEPT = "gt_list"
_FIRST = 8


@dataclass(frozen=True)
class _Image:
    """An image's ``event/name``, its boxes x y width height (N, 4), its six attributes (N, 1) where the file has them,
    and the numbers of the faces that count, from 1, where a setting is in force."""

    name: str
    boxes: Value
    attributes: list[Value] | None
    kept: Value | None

    def faces(self) -> Annotation:
        """Raises `InputError` for what does not fit together."""
        found = Annotation(corners(_table(self.boxes, 4)))
        count = len(found)
        if self.attributes is not None:
            columns = [_table(column, 1) for column in self.attributes]
            if any(len(column) != count for column in columns):
                raise InputError("it has not as many attributes as boxes")
            annotate(found, np.concatenate(columns, axis=1))
        if self.kept is not None:
            kept = _table(self.kept, 1)[:, 0].astype(np.int64)
            if len(kept) and not (kept.min() >= 1 and kept.max() <= count):
                raise InputError(f"its list of faces that count has numbers beyond its {count} faces")
            found.ignored = np.ones(count, bool)
            found.ignored[kept - 1] = False
        return found


class WiderMatReader(Reader):
    """Reads WIDER FACE's MATLAB files of version 5. With a setting, all faces but those that count in it are ignored;
    without one, those whose attribute ``invalid`` is 1.

    The settings' lists lie in ``wider_easy_val.mat`` and so on, which are looked for beside the file. Raises
    `InputError` for a file that is no such one, or damaged.
    """

    def __init__(self, path: Path, options: MatReadOptions | None = None) -> None:
        super().__init__(path, options or MatReadOptions())

    def about(self) -> About:
        """Counted over all images, which the file has to be read for anyway."""
        holds, facts = {"boxes", "keys"}, self._facts()
        if facts.get("ignored faces"):
            holds.add("ignored")
        if any(image.attributes is not None for image in self._images):
            holds.add("attributes")
        if self._folder.root is not None:
            holds.add("images")
            facts[FOLDER] = str(self._folder.root)
        return About("detection", len(self._images), frozenset(holds), facts=facts)

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = dict.fromkeys(("images", "faces", "degenerate boxes", "ignored faces"), 0)
        for image in self._images:
            facts["images"] += 1
            try:
                faces = image.faces()
            except InputError:
                facts["broken images"] = facts.get("broken images", 0) + 1
                continue
            facts["faces"] += len(faces)
            facts["degenerate boxes"] += int((_table(image.boxes, 4)[:, 2:] <= 0).any(axis=1).sum())
            facts["ignored faces"] += 0 if faces.ignored is None else int(faces.ignored.sum())
        facts["events"] = len({image.name.partition("/")[0] for image in self._images})
        if self._setting:
            facts["setting"] = self._setting
        return facts

    def units(self, size: int = UNIT) -> Iterator[Unit]:
        """A unit's place is the keys in it that are not as the names say: the whole file is in memory."""
        for start in range(0, len(self._images), size):
            stop = min(start + size, len(self._images))
            yield Unit(start, stop, {"keys": self._keys.of(start, stop)})

    def read(self, unit: Unit) -> Iterator[Sample | Broken]:
        """The images of a unit."""
        for number, image in enumerate(self._images[unit.start : unit.stop], unit.start):
            try:
                yield self._sample(image, unit.place["keys"].get(str(number), ""))
            except InputError as error:
                yield Broken(image.name, str(error).rstrip("."), str(self.path))

    def sample(self, index: int) -> Sample:
        """The image number `index`. Raises `InputError` when it is broken, `IndexError` when there is none."""
        self.require_number(index, len(self._images))
        return self.good(next(self.read(Unit(index, index + 1, {"keys": self._keys.of(index, index + 1)}))))

    def _sample(self, image: _Image, key: str) -> Sample:
        name = f"{image.name}.jpg"
        faces = image.faces()
        return Sample(key or key_of(name), self._folder.read(name), None, faces, extra={FILE: name})

    @cached_property
    def _keys(self) -> UniqueKeys:
        keys = UniqueKeys()
        for number, image in enumerate(self._images):
            keys.add(number, key_of(f"{image.name}.jpg"))
        return keys

    @cached_property
    def _setting(self) -> str:
        """The setting in force, empty for none."""
        if self.options.setting is None:
            own = [name for name in SETTINGS if name in self.path.stem] if _KEPT in self._variables else []
            return own[0] if own else ""
        return "" if self.options.setting == "all" else str(self.options.setting)

    @cached_property
    def _variables(self) -> dict[str, Value]:
        return load(self.path)

    @cached_property
    def _folder(self) -> ImageFolder:
        names = (f"{image.name}.jpg" for image in self._images[:_FIRST])
        return ImageFolder.find(self.path, names, self.options.images)

    @cached_property
    def _images(self) -> list[_Image]:
        variables = self._variables
        missing = [name for name in _NEEDED if name not in variables]
        if missing:
            raise InputError(f"{self.path} has no {missing[0]}, so it is no label file of WIDER FACE.")
        lists = {name: _column(variables[name], name, self.path) for name in _NEEDED}
        for name in ATTRIBUTES:
            if f"{name}_label_list" in variables:
                lists[name] = _column(variables[f"{name}_label_list"], name, self.path)
        if self._setting:
            lists[_KEPT] = self._kept()
        if len({len(cells) for cells in lists.values()}) > 1:
            raise InputError(f"{self.path} has lists of different lengths for its events.")
        return [image for event in range(len(lists["event_list"])) for image in self._event(lists, event)]

    def _kept(self) -> list[Value]:
        """The list of faces that count in the setting, from this file or the one beside it."""
        if _KEPT in self._variables and self._setting in self.path.stem:
            return _column(self._variables[_KEPT], _KEPT, self.path)
        path = self.path.with_name(f"wider_{self._setting}_val.mat")
        if not path.is_file():
            raise InputError(f"The faces of the setting {self._setting} are listed in {path}, which is not there.")
        variables = load(path)
        if _KEPT not in variables:
            raise InputError(f"{path} has no {_KEPT}, so it does not say which faces count.")
        return _column(variables[_KEPT], _KEPT, path)

    def _event(self, lists: dict[str, list[Value]], event: int) -> Iterator[_Image]:
        """The images of one event."""
        names = [name for name in lists if name != "event_list"]
        columns = {name: _column(lists[name][event], name, self.path) for name in names}
        if len({len(cells) for cells in columns.values()}) > 1:
            raise InputError(f"{self.path} has lists of different lengths for the images of its event {event + 1}.")
        folder = _text(lists["event_list"][event], self.path)
        known = [name for name in ATTRIBUTES if name in columns]
        for number in range(len(columns["file_list"])):
            attributes = [columns[name][number] for name in known] if len(known) == len(ATTRIBUTES) else None
            yield _Image(
                f"{folder}/{_text(columns['file_list'][number], self.path)}",
                columns["face_bbx_list"][number],
                attributes,
                columns[_KEPT][number] if _KEPT in columns else None,
            )


def _column(value: Value, name: str, path: Path) -> list[Value]:
    """A list of cells. Raises `InputError` for what is none."""
    if not isinstance(value, list):
        raise InputError(f"{path}: {name} is no list of cells where it should be.")
    return value


def _text(value: Value, path: Path) -> str:
    if not isinstance(value, str):
        raise InputError(f"{path} has something else than a name in its lists of events and files.")
    return value


def _table(numbers: Value, width: int) -> NDArray[np.float64]:
    """An array of numbers as (N, width) float64. Raises `InputError` for another shape, or numbers out of reach."""
    if not isinstance(numbers, np.ndarray) or (numbers.size and width > 1 and numbers.shape[1:] != (width,)):
        raise InputError(f"a list of it has not {width} numbers a face")
    table: NDArray[np.float64] = numbers.reshape(-1, width).astype(np.float64)
    if not (np.abs(table) <= FARTHEST).all():
        raise InputError(f"it has a number that is not within {FARTHEST:,.0f}")
    return table
