"""From image to tensor, against the arithmetic spelt out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.inference.preprocess import Preprocessor, Size, parse_sizes
from zoo.specs import Preprocess
from zoo.types import Faces

PLAIN = Preprocess()
SCRFD = Preprocess(size="640x640", multiple=32, colour="rgb", mean=(127.5, 127.5, 127.5), scale=1 / 128)
MEANS = Preprocess(mean=(104.0, 117.0, 123.0), scale=0.5, multiple=8, pad=100.0)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("original", (Size(),)),
        ("640x480", (Size(640, 480),)),
        ("1280", (Size(1280),)),
        ("Original, 320X320,640", (Size(), Size(320, 320), Size(640))),
    ],
)
def test_sizes(text: str, sizes: tuple[Size, ...]) -> None:
    assert parse_sizes(text) == sizes


@pytest.mark.parametrize(
    "text", ["", "big", "0", "640x", "x640", "640x0", "-3", "1e3", "640x640x3", "640,", "99999", "٣"]
)
def test_nonsense_sizes(text: str) -> None:
    with pytest.raises(UsageError, match="is not understood: write original"):
        parse_sizes(text)


@pytest.mark.parametrize("contract", [PLAIN, SCRFD, MEANS])
@pytest.mark.parametrize("shape", [(1, 1), (1, 70), (33, 17), (64, 64), (97, 40)])
def test_original_is_padded_and_normalised(contract: Preprocess, shape: tuple[int, int]) -> None:
    image = noise(*shape)
    fitted = Preprocessor(contract).fit(image, Size())
    height, width = (-(-side // contract.multiple) * contract.multiple for side in shape)
    padded = np.full((height, width, 3), contract.pad)
    padded[: shape[0], : shape[1]] = image
    ordered = padded[..., ::-1] if contract.colour == "rgb" else padded
    expected = ((ordered - np.array(contract.mean)) * contract.scale).transpose(2, 0, 1)[None]
    assert fitted.tensor.dtype == np.float32
    assert fitted.tensor.shape == (1, 3, height, width)
    assert np.abs(fitted.tensor - expected).max() < 1e-4
    assert (fitted.width, fitted.height, fitted.scale_x, fitted.scale_y) == (width, height, 1, 1)


def test_original_equals_opencvs_blob() -> None:
    image = noise(64, 96)
    blob = cv2.dnn.blobFromImage(image, 1 / 128, mean=(127.5, 127.5, 127.5), swapRB=True)
    assert np.abs(Preprocessor(SCRFD).fit(image, Size()).tensor - blob).max() < 1e-6


@pytest.mark.parametrize(
    ("height", "width", "inner"),
    [(886, 1280, (640, 443)), (1280, 886, (443, 640)), (10, 10, (640, 640)), (1, 5000, (640, 1))],
)
def test_letterbox(height: int, width: int, inner: tuple[int, int]) -> None:
    image = noise(height, width)
    fitted = Preprocessor(SCRFD).fit(image, Size(640, 640))
    assert fitted.tensor.shape == (1, 3, 640, 640)
    resized = cv2.resize(image, inner, interpolation=cv2.INTER_LINEAR)
    found = fitted.tensor[0, :, : inner[1], : inner[0]].transpose(1, 2, 0)[..., ::-1] * 128 + 127.5
    assert np.abs(found - resized).max() < 1e-3
    assert (fitted.tensor[0, :, inner[1] :] == -127.5 / 128).all()
    assert (fitted.tensor[0, :, :, inner[0] :] == -127.5 / 128).all()
    assert (fitted.scale_x, fitted.scale_y) == (inner[0] / width, inner[1] / height)


def test_letterbox_is_padded_to_the_multiple() -> None:
    assert Preprocessor(SCRFD).fit(noise(50, 50), Size(100, 70)).tensor.shape == (1, 3, 96, 128)


@pytest.mark.parametrize(
    ("height", "width", "longest", "tensor"),
    [(886, 1280, 640, (448, 640)), (100, 50, 320, (320, 160)), (1, 3000, 96, (32, 96)), (40, 40, 33, (64, 64))],
)
def test_longest_side(height: int, width: int, longest: int, tensor: tuple[int, int]) -> None:
    fitted = Preprocessor(SCRFD).fit(noise(height, width), Size(longest))
    assert fitted.tensor.shape[2:] == tensor
    assert max(fitted.scale_x * width, fitted.scale_y * height) == pytest.approx(longest)


def test_slices_and_other_memory_layouts() -> None:
    image = noise(60, 80)
    for view in (image[::2, ::2], image[:, ::-1], np.asfortranarray(image)):
        expected = Preprocessor(MEANS).fit(np.ascontiguousarray(view), Size()).tensor
        assert np.array_equal(Preprocessor(MEANS).fit(view, Size()).tensor, expected)


def test_faces_go_back_to_the_image() -> None:
    fitted = Preprocessor(SCRFD).fit(noise(200, 400), Size(640, 640))
    boxes = np.array([[0, 0, 640, 320]], np.float32)
    faces = Faces(boxes, np.ones(1, np.float32), np.full((1, 5, 2), 160, np.float32))
    back = fitted.to_image(faces)
    assert back.boxes.tolist() == [[0, 0, 400, 200]]
    assert back.keypoints is not None
    assert (back.keypoints == 100).all()
    assert fitted.to_image(Faces.empty()).keypoints is None
