"""What became of one image or frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from zoo.inference.sources import Item
from zoo.requests import Skip
from zoo.types import Faces, Image


@dataclass(frozen=True)
class Outcome:
    """The faces of an item, or why there are none.

    `width` and `height` in pixels as seen, 0 where the image could not be read. `error` is the sentence that says why
    it was skipped, empty where `faces` is there. `picture` is the annotated frame of a video that is being written.
    """

    item: Item
    width: int = 0
    height: int = 0
    faces: Faces | None = None
    error: str = ""
    picture: Image | None = None

    @cached_property
    def record(self) -> dict[str, Any]:
        """The outcome as a JSON-able mapping: ``image``, for a frame ``frame`` and ``seconds``, then ``width``,
        ``height`` and ``faces``, or ``error``."""
        record: dict[str, Any] = {"image": self.item.name}
        if self.item.frame is not None:
            record |= {"frame": self.item.frame, "seconds": round(self.item.seconds or 0.0, 4)}
        if self.faces is None:
            return record | {"error": self.error}
        return record | {"width": self.width, "height": self.height} | self.faces.to_dict()

    def skip(self) -> Skip:
        """The item as a skipped input: its place, and the reason without repeating the place."""
        return Skip(self.item.where, self.error.removeprefix(self.item.where).strip())
