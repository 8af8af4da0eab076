"""Cutting faces out: against OpenCV's own warp and by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from zoo import images
from zoo.datasets.cropping import Crop, affine_matrix, crop, rotation
from zoo.datasets.sample import Annotation, EncodedImage, Sample
from zoo.errors import InputError
from zoo.options import describe, make

DOT = np.array([[61.0, 43.0]], np.float32)


def dotted(box: tuple[float, float, float, float] = (40, 30, 80, 60), faces: int = 1) -> Sample:
    """A 120 x 90 picture, grey with one white pixel at DOT, and faces with that point among their landmarks."""
    picture = np.full((90, 120, 3), 60, np.uint8)
    picture[43, 61] = 255
    boxes = np.array([box] * faces, np.float32)
    points = np.repeat(np.concatenate([DOT, [[40, 30]], [[80, 60]]])[None].astype(np.float32), faces, axis=0)
    keypoints = np.full((faces, 5, 2), np.nan, np.float32)
    keypoints[:, 0] = DOT
    image = EncodedImage(images.encode(picture, ".png"), "png")
    return Sample("a/dot", image, (120, 90), Annotation(boxes, keypoints, landmarks=points), identity="who")


def brightest(sample: Sample) -> tuple[float, float]:
    assert sample.image is not None
    grey = sample.image.decode().mean(axis=2)
    y, x = np.unravel_index(int(grey.argmax()), grey.shape)
    return float(x), float(y)


def faces_of(sample: Sample) -> Annotation:
    assert sample.faces is not None
    return sample.faces


def test_none_passes_the_sample_through() -> None:
    sample = dotted()
    assert crop(sample, Crop()) is sample


def test_affine_is_the_warp_of_insightface() -> None:
    sample = dotted()
    cut = crop(sample, Crop(crop="affine", crop_size=96))
    scale = 96 / (40 * 1.5)
    matrix = np.array([[scale, 0, 48 - 60 * scale], [0, scale, 48 - 45 * scale]])
    assert sample.image and cut.image
    expected = cv2.warpAffine(sample.image.decode(), matrix, (96, 96))
    assert np.array_equal(cut.image.decode(), expected)
    assert np.allclose(faces_of(cut).landmarks[0, 0], matrix @ [61, 43, 1], atol=1e-4)
    assert np.allclose(faces_of(cut).boxes, [[16, 24, 80, 72]], atol=1e-4)
    assert (cut.key, cut.size, cut.identity) == ("a/dot", (96, 96), "who")
    assert cut.extra == {"crop": [30, 15, 60, 60]}


@pytest.mark.parametrize("way", ["affine", "padded", "clipped"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_points_stay_on_their_pixels_whatever_the_angle(way: str, seed: int) -> None:
    options = make(Crop, {"crop": way, "crop_rotation": 170, "crop_seed": seed, "crop_scale": 2})
    cut = crop(dotted(), options)
    x, y = brightest(cut)
    assert faces_of(cut).landmarks is not None
    assert np.abs(faces_of(cut).landmarks[0, 0] - (x, y)).max() < 1
    assert np.abs(faces_of(cut).keypoints[0, 0] - (x, y)).max() < 1
    assert np.isnan(faces_of(cut).keypoints[0, 1:]).all()
    assert abs(rotation("a/dot", options)) > 1


def test_a_quarter_turn_is_clockwise_as_it_is_seen() -> None:
    matrix = affine_matrix((10, 10), (0, 0), 1.0, 90)
    assert np.allclose(matrix @ [15, 10, 1], [0, 5])  # what was to the right is now below


def test_padded_pastes_whole_pixels_on_black() -> None:
    sample = dotted((0, 0, 30, 20))
    cut = crop(sample, Crop(crop="padded", crop_scale=2))
    assert sample.image and cut.image
    expected = np.zeros((60, 60, 3), np.uint8)
    expected[20:, 15:] = sample.image.decode()[:40, :45]  # the square's corner is at 15 - 30, 10 - 30
    assert np.array_equal(cut.image.decode(), expected)
    assert np.allclose(faces_of(cut).boxes, [[15, 20, 45, 40]])
    assert cut.extra == {"crop": [-15, -20, 60, 60]}


def test_clipped_ends_before_the_last_row_and_need_not_be_square() -> None:
    cut = crop(dotted((60, 40, 120, 90)), Crop(crop="clipped", crop_scale=1.1, crop_size=56))
    # 66 pixels around 90, 65: from 57, 32 to 123, 98, clipped to 119, 89
    assert cut.extra == {"crop": [57, 32, 62, 57]}
    assert cut.size == (56, 56)
    expected = (DOT[0] - (57, 32)) * (56 / 62, 56 / 57)
    assert np.allclose(faces_of(cut).landmarks[0, 0], expected, atol=1e-4)


def test_the_whole_image_keeps_all_faces() -> None:
    cut = crop(dotted(faces=3), Crop(crop="clipped", crop_around="image", crop_size=60))
    assert cut.size == (60, 60)
    assert np.allclose(faces_of(cut).boxes, [[20, 20, 40, 40]] * 3)
    square = crop(dotted(faces=2), Crop(crop="affine", crop_around="image", crop_scale=1, crop_size=240))
    assert np.allclose(faces_of(square).boxes, [[80, 90, 160, 150]] * 2)


def test_landmarks_stand_in_for_a_box_and_missing_ones_do_not_count() -> None:
    sample = dotted((0, 0, 10, 10))
    faces_of(sample).landmarks[0, 0] = np.nan
    around = crop(sample, Crop(crop="padded", crop_around="landmarks", crop_scale=1))
    faces_of(sample).boxes = None
    assert around.extra == crop(sample, Crop(crop="padded", crop_scale=1)).extra == {"crop": [40, 25, 40, 40]}


def test_the_angle_is_uniform_and_a_matter_of_key_and_seed() -> None:
    options = Crop(crop="affine", crop_rotation=45, crop_seed=7)
    angles = np.array([rotation(str(number), options) for number in range(2000)])
    assert np.abs(angles).max() <= 45
    assert abs(angles.mean()) < 2
    assert abs(np.abs(angles).mean() - 22.5) < 1
    assert rotation("5", options) == angles[5] != rotation("5", replace(options, crop_seed=8))


def test_jpeg_has_its_quality() -> None:
    sizes = [
        len(crop(dotted(), Crop(crop="affine", crop_format="jpeg", crop_quality=quality)).image.data)  # type: ignore[union-attr]
        for quality in (20, 98)
    ]
    assert sizes[0] < sizes[1]


def test_several_faces_are_refused_or_the_largest_taken() -> None:
    sample = dotted(faces=2)
    faces_of(sample).boxes[1] = (50, 30, 100, 80)
    with pytest.raises(InputError, match="2 faces"):
        crop(sample, Crop(crop="padded"))
    cut = crop(sample, Crop(crop="padded", crop_faces="largest", crop_scale=1))
    assert len(faces_of(cut)) == 1
    assert cut.extra == {"crop": [50, 30, 50, 50]}


@pytest.mark.parametrize("way", ["affine", "padded", "clipped"])
@pytest.mark.parametrize(
    "box",
    [(500, 0, 520, 20), (5, 5, 5, 5), (9, 9, 3, 3), (math.nan, 0, 1, 1), (-1e9, -1e9, 1e9, 1e9), (0, 0, math.inf, 9)],
    ids=str,
)
def test_boxes_that_show_nothing_are_refused(way: str, box: tuple[float, float, float, float]) -> None:
    with pytest.raises(InputError, match="a/dot"):
        crop(dotted(box), make(Crop, {"crop": way}))


def test_samples_without_image_or_faces_are_refused() -> None:
    sample = dotted()
    with pytest.raises(InputError, match="no image"):
        crop(replace(sample, image=None), Crop(crop="affine"))
    with pytest.raises(InputError, match="no face"):
        crop(replace(sample, faces=None), Crop(crop="affine"))


def test_the_options_import_nothing_heavy_and_are_explained() -> None:
    assert all(option.help for option in describe(Crop).values())
    assert all(name.startswith("crop") for name in describe(Crop))
