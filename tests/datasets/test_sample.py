"""Samples: encoded images are told by their first bytes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from zoo import images
from zoo.datasets.folders import SUFFIXES
from zoo.datasets.sample import EncodedImage, sniff

COLOUR = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)
FORMATS = [("jpeg", ".jpg"), ("png", ".png"), ("bmp", ".bmp"), ("tiff", ".tif"), ("webp", ".webp"), ("gif", ".gif")]


@pytest.mark.parametrize(("name", "suffix"), FORMATS)
def test_what_opencv_writes_is_told_by_its_first_bytes(name: str, suffix: str) -> None:
    good, data = cv2.imencode(suffix, COLOUR)
    if not good:
        pytest.skip(f"this OpenCV writes no {suffix}")
    image = EncodedImage(data.tobytes(), sniff(data.tobytes()))
    assert (image.format, image.suffix, image.size) == (name, suffix, (5, 6))


@pytest.mark.parametrize("suffix", [".pbm", ".pgm", ".ppm"])
@pytest.mark.parametrize("binary", [0, 1])
def test_pnm_is_told_by_its_kind_and_reads_as_opencv_reads_it(suffix: str, binary: int) -> None:
    pixels = COLOUR if suffix == ".ppm" else COLOUR[:, :, 0]
    _, data = cv2.imencode(suffix, pixels, [cv2.IMWRITE_PXM_BINARY, binary])
    image = EncodedImage(data.tobytes(), sniff(data.tobytes()))
    assert (image.format, image.suffix, image.size) == (suffix[1:], suffix, (5, 6))
    assert image.suffix in SUFFIXES
    np.testing.assert_array_equal(image.decode(), cv2.imdecode(data, cv2.IMREAD_COLOR))


@pytest.mark.parametrize("data", [b"", b"P", b"P6", b"P7\n1 1", b"P0 ", b"PK\x03\x04", b"P6x 1 1", b"Portrait"])
def test_other_bytes_are_of_no_known_format(data: bytes) -> None:
    assert sniff(data) == ""
    assert images.header(data) is None
    assert EncodedImage(data).suffix == ".bin"
