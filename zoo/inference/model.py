"""What every loaded model is to its user: a callable on images."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from zoo import images
from zoo.errors import InputError
from zoo.types import Faces, Image

ImageLike: TypeAlias = "str | os.PathLike[str] | bytes | NDArray[Any]"
"""A path, the bytes of an image file, or an array as `zoo.images.as_image` takes it (channels in BGR order)."""


class Model:
    """A loaded model: ``model(image)`` gives the `Faces` of one image, ``model(images)`` an iterator over several.

    A method's own class gives `detect`. One model may be used by several threads at once.
    """

    def ready(self) -> None:
        """Get, before the first image, what is otherwise got with it, such as a model that this one needs."""

    @overload
    def __call__(self, image: ImageLike, faces: Faces | None = None) -> Faces: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(self, image: Iterable[ImageLike], faces: Faces | None = None) -> Iterator[Faces]: ...

    def __call__(self, image: Any, faces: Faces | None = None) -> Faces | Iterator[Faces]:
        """The faces of an image, or of each of several, highest score first, in pixels of the image.

        `faces` are what is known of one image already; a detector does not need any. Raises `InputError` for an image
        that cannot be read.
        """
        if isinstance(image, str | os.PathLike | bytes) or (isinstance(image, np.ndarray) and image.ndim < 4):
            return self.detect([read_image(image)], None if faces is None else [faces])[0]
        if not isinstance(image, Iterable):
            raise InputError(
                f"A {type(image).__name__} is no image: give a path, bytes, a BGR array, or several of them."
            )
        return self.stream(image)

    def stream(self, sources: Iterable[ImageLike], batch: int = 1) -> Iterator[Faces]:
        """The faces of each of `sources`, in order; `batch` images are in memory at once."""
        several = iter(sources)
        while chunk := list(itertools.islice(several, batch)):
            yield from self.detect([read_image(source) for source in chunk])

    def detect(self, pictures: Sequence[Image], known: Sequence[Faces] | None = None) -> list[Faces]:
        """The faces of each of `pictures` ((H, W, 3) uint8 BGR); `known` are the faces of each that are known."""
        raise TypeError(f"{type(self).__name__} does not say how it finds faces")


class FunctionModel(Model):
    """A model that is a plain function ``(image, faces=None) -> Faces``, as a small plugin has it."""

    def __init__(self, function: Callable[[Image, Faces | None], Faces]) -> None:
        self.function = function

    def detect(self, pictures: Sequence[Image], known: Sequence[Faces] | None = None) -> list[Faces]:
        """Call the function with each picture."""
        faces = known or itertools.repeat(None, len(pictures))
        return [self.function(picture, each) for picture, each in zip(pictures, faces, strict=True)]


def read_image(source: ImageLike) -> Image:
    """The pixels, (H, W, 3) uint8 BGR, of a path, of the bytes of a file, or of an array. Raises `InputError`."""
    if isinstance(source, np.ndarray):
        return images.as_image(source)
    if isinstance(source, bytes):
        return images.decode(source)
    if isinstance(source, str | os.PathLike):
        return images.read(Path(source))
    raise InputError(f"A {type(source).__name__} is no image: give a path, bytes or a BGR array.")
