"""Augmentation: faces move with their pixels, which is seen on rectangles and points of a colour of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from zoo.datasets.sample import Annotation
from zoo.training import colours
from zoo.training.augment import (
    INTERPOLATIONS,
    MIRRORED,
    Flip,
    InnerCrop,
    Labelled,
    PadSquare,
    Resize,
    SquareCrop,
    Step,
    augmented,
    dice,
)
from zoo.training.colours import ByteDistortion, Photometric

BOXES = ((40, 30, 70, 66), (120, 50, 160, 80), (10, 90, 30, 110))


def drawn(width: int = 200, height: int = 140, boxes: Sequence[Sequence[float]] = BOXES) -> Labelled:
    """A black image with a rectangle of a brightness of its own for each face, whose keypoints are its corners and
    its middle (those of the second face are unknown); the last face is ignored."""
    image = np.zeros((height, width, 3), np.uint8)
    keypoints = np.zeros((len(boxes), 5, 3), np.float32)
    for number, (x1, y1, x2, y2) in enumerate(boxes):
        image[int(y1) : int(y2), int(x1) : int(x2)] = shade(number)
        corners = [(x1, y1), (x2, y1), ((x1 + x2) / 2, (y1 + y2) / 2), (x1, y2), (x2, y2)]
        if number != 1:
            keypoints[number] = [(*corner, 1) for corner in corners]
    ignored = np.arange(len(boxes)) == len(boxes) - 1
    return Labelled(image, np.array(boxes, np.float32).reshape(-1, 4), keypoints, ignored)


def shade(number: int) -> int:
    return 250 - 30 * number


def found(image: np.ndarray, number: int) -> list[int]:
    """The box around the pixels of the shade of face `number`."""
    y, x = np.nonzero(np.abs(image[..., 0].astype(int) - shade(number)) < 8)
    return [int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1]


def shades(sample: Labelled) -> list[int]:
    """Which face each box is, by the pixel in its middle."""
    centres = ((sample.boxes[:, :2] + sample.boxes[:, 2:]) / 2).astype(int)
    return [round((250 - int(sample.image[y, x, 0])) / 30) for x, y in centres]


def many(step: Step, sample: Labelled, count: int = 60) -> list[Labelled]:
    return [step(sample, dice(7, 0, str(number))) for number in range(count)]


def test_a_crop_moves_boxes_and_points_with_their_pixels() -> None:
    sizes, counts = set(), set()
    for cut in many(SquareCrop((0.5, 0.9, 1.3)), drawn()):
        height, width = cut.image.shape[:2]
        assert height == width
        sizes.add(width)
        counts.add(len(cut.boxes))
        assert not cut.ignored.all()
        for box, points, number in zip(cut.boxes.tolist(), cut.keypoints, shades(cut), strict=True):
            assert box == found(cut.image, number)
            assert points[:, 2].any() == (number != 1)
            if number != 1:
                assert points[[0, 4], :2].ravel().tolist() == box  # both are cut off at the same border
            assert cut.ignored[cut.boxes.tolist().index(box)] == (number == 2)
    assert sizes == {70, 126, 182}
    assert counts == {1, 2, 3}


def test_a_crop_without_clipping_keeps_boxes_whole() -> None:
    for cut in many(SquareCrop((0.5, 1.3), clip=False), drawn()):
        sides = cut.boxes[:, 2:] - cut.boxes[:, :2]
        assert {tuple(side) for side in sides.tolist()} <= {(30, 36), (40, 30), (20, 20)}
        assert np.allclose(cut.keypoints[cut.keypoints[:, 0, 2] > 0, 0, :2], cut.boxes[cut.keypoints[:, 0, 2] > 0, :2])


def test_what_a_crop_has_of_the_outside_is_filled() -> None:
    """1.5 times the shorter side of 140 is 210, wider and higher than the image: it is in there as a whole."""
    for cut in many(SquareCrop((1.5,), fill=77), drawn(), 10):
        assert cut.image.shape == (210, 210, 3)
        assert (cut.image == 77).all(axis=2).sum() == 210 * 210 - 200 * 140
        assert len(cut.boxes) == 3


def test_a_centre_on_the_border_is_outside() -> None:
    """The crop of a square image at scale 1 is the image; one face has its centre at x = 0."""
    sample = drawn(100, 100, ((-20, 10, 20, 50), (40, 40, 60, 60), (0, 0, 2, 2)))
    (cut,) = many(SquareCrop((1.0,)), sample, 1)
    assert cut.boxes.tolist() == [[40, 40, 60, 60], [0, 0, 2, 2]]


def test_small_crops_grow_until_they_hold_a_face() -> None:
    """A face in the corner of a wide image, which no square of a 20th of its height holds the centre of for long."""
    sample = drawn(800, 100, ((0, 0, 4, 2), (700, 90, 701, 91)))
    for cut in many(SquareCrop((0.01,)), sample, 20):
        assert len(cut.boxes) >= 1
        assert (~cut.ignored).sum() == 1


@pytest.mark.parametrize("boxes", [(), ((500, 500, 600, 600), (0, 0, 9, 9))])
def test_images_without_a_face_inside_are_cut_all_the_same(boxes: tuple[tuple[int, ...], ...]) -> None:
    for step in (SquareCrop((0.3, 0.8)), SquareCrop((0.5, 1.5)), InnerCrop()):
        for cut in many(step, drawn(boxes=boxes), 5):
            assert not len(cut.boxes) or step == InnerCrop() or cut.ignored.all()
            assert cut.image.size


def test_the_inner_crop_holds_a_whole_face_and_no_outside() -> None:
    squares = set()
    for cut in many(InnerCrop(), drawn(), 400):
        height, width = cut.image.shape[:2]
        squares.add((width, height))
        whole = [tuple(side) for side in (cut.boxes[:, 2:] - cut.boxes[:, :2])[~cut.ignored].tolist()]
        assert (30, 36) in whole or (40, 30) in whole
        for box, number in zip(cut.boxes.tolist(), shades(cut), strict=True):
            assert box == found(cut.image, number)
    assert squares == {(42, 42), (63, 63), (84, 84), (112, 112), (140, 140)}


def test_where_no_square_holds_a_face_the_image_is_padded() -> None:
    """A face as wide as the image, 200, in which the largest square is 140."""
    sample = drawn(boxes=((0, 30, 200, 60), (0, 0, 9, 9)))
    (cut,) = many(InnerCrop(), sample, 1)
    assert cut.image.shape == (140, 200, 3)
    padded = PadSquare()(cut, dice(0, 0, ""))
    assert padded.image.shape == (200, 200, 3)
    assert (padded.image[140:] == (104, 117, 123)).all()
    assert (padded.image[:140] == sample.image).all()
    assert PadSquare()(padded, dice(0, 0, "")) is padded
    assert padded.boxes.tolist() == sample.boxes.tolist()


@pytest.mark.parametrize("way", INTERPOLATIONS)
def test_resizing_stretches_boxes_with_their_pixels(way: str) -> None:
    resized = Resize(400, 70, (way,))(drawn(boxes=BOXES[:1]), dice(0, 0, ""))
    assert resized.image.shape == (70, 400, 3)
    assert resized.boxes[0].tolist() == [80, 15, 140, 33]
    assert np.abs(np.subtract(found(resized.image, 0), [80, 15, 140, 33])).max() <= 1
    assert resized.keypoints[0, 2].tolist() == [110, 24, 1]
    assert not Resize(400, 70)(drawn(), dice(0, 0, "")).keypoints[1].any()


def test_resizing_draws_among_the_ways() -> None:
    sample = replace(drawn(), image=np.random.default_rng(0).integers(0, 256, (140, 200, 3), np.uint8))
    given = {cut.image.tobytes() for cut in many(Resize(64, 64, tuple(INTERPOLATIONS)), sample, 60)}
    assert len(given) == 5


def test_the_mirror_exchanges_left_and_right() -> None:
    sample = drawn()
    (mirrored,) = many(Flip(1.0), sample, 1)
    assert mirrored.boxes[0].tolist() == found(mirrored.image, 0) == [130, 30, 160, 66]
    # The first keypoint is still the upper left one as the image shows it.
    assert mirrored.keypoints[0, :, :2].tolist() == [[130, 30], [160, 30], [145, 48], [130, 66], [160, 66]]
    assert sorted(MIRRORED) == [0, 1, 2, 3, 4]
    assert not mirrored.keypoints[1].any()
    back = Flip(1.0)(mirrored, dice(0, 0, ""))
    assert (back.image == sample.image).all()
    assert back.boxes.tolist() == sample.boxes.tolist()
    assert back.keypoints.tolist() == sample.keypoints.tolist()
    flipped = sum((one.image != sample.image).any() for one in many(Flip(0.5), sample, 200))
    assert 70 < flipped < 130


class Loaded:
    """Dice that fall as they are told: integers, then what `uniform` gives."""

    def __init__(self, integers: Sequence[int], uniforms: Sequence[float] = ()) -> None:
        self.whole, self.real = list(integers), list(uniforms)

    def integers(self, *args: int, endpoint: bool = False) -> int:
        return self.whole.pop(0)

    def uniform(self, low: float, high: float) -> float:
        value = self.real.pop(0)
        assert low <= value <= high
        return value

    def permutation(self, count: int) -> np.ndarray:
        return np.roll(np.arange(count), 1)


def coloured() -> Labelled:
    image = np.random.default_rng(3).integers(0, 256, (40, 30, 3), np.uint8)
    return replace(drawn(), image=image)


def plain_photometric(
    image: np.ndarray, shift: float, contrast: float, early: bool, saturation: float, turn: float
) -> np.ndarray:
    """The original's steps, in its order and in floating point, rounded in the end."""
    pixels = image.astype(np.float32) + np.float32(shift)
    if early:
        pixels *= np.float32(contrast)
    pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2HSV)
    pixels[..., 1] *= saturation
    pixels[..., 0] += turn
    pixels[..., 0][pixels[..., 0] > 360] -= 360
    pixels[..., 0][pixels[..., 0] < 0] += 360
    pixels = cv2.cvtColor(pixels, cv2.COLOR_HSV2BGR)
    if not early:
        pixels *= np.float32(contrast)
    return np.clip(np.rint(pixels), 0, 255)


@pytest.mark.parametrize("early", [0, 1])
@pytest.mark.parametrize("values", [(20, 1.4, 0.6, -17), (-31, 0.5, 1.5, 18), (5, 0.8, 1, 10), (-3, 1.2, 0.5, 0)])
def test_photometric_distortion_is_the_originals(values: tuple[float, float, float, float], early: int) -> None:
    shift, contrast, saturation, turn = values
    sample = coloured()
    loaded = Loaded([1, 1, early, 1, 1, 0], [shift, contrast, saturation, turn])
    given = Photometric()(sample, loaded)  # type: ignore[arg-type]
    wanted = plain_photometric(sample.image, shift, contrast, bool(early), saturation, turn)
    assert np.abs(given.image.astype(int) - wanted).max() <= 1
    assert given.boxes is sample.boxes


def test_photometric_distortion_of_brightness_alone_and_channels() -> None:
    """40 grey levels times 0.5, in the channels 2, 0, 1: (40 + 20) / 2 = 30."""
    sample = replace(drawn(), image=np.full((4, 4, 3), (40, 80, 250), np.uint8))
    given = Photometric()(sample, Loaded([1, 1, 1, 0, 0, 1], [20, 0.5]))  # type: ignore[arg-type]
    assert given.image[0, 0].tolist() == [135, 30, 50]
    untouched = Photometric()(sample, Loaded([0, 0, 0, 0, 0, 0]))  # type: ignore[arg-type]
    assert (untouched.image == sample.image).all()


def plain_bytes(
    image: np.ndarray, shift: float, contrast: float, early: bool, saturation: float, turn: int
) -> np.ndarray:
    """RetinaFace's steps: floats cut off at 0 and 255, then to bytes, after each."""

    def convert(values: np.ndarray, alpha: float = 1, beta: float = 0) -> np.ndarray:
        return np.clip(values.astype(float) * alpha + beta, 0, 255).astype(np.uint8)

    image = convert(image, beta=shift)
    if early:
        image = convert(image, contrast)
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    hsv[..., 1] = convert(hsv[..., 1], saturation)
    hsv[..., 0] = (hsv[..., 0].astype(int) + turn) % 180
    image = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    return image if early else convert(image, contrast)


@pytest.mark.parametrize("early", [0, 1])
@pytest.mark.parametrize("values", [(20.25, 1.4, 0.6, -17), (-31.5, 0.5, 1.5, 18)])
def test_distortion_in_bytes_is_the_originals(values: tuple[float, float, float, int], early: int) -> None:
    shift, contrast, saturation, turn = values
    sample = coloured()
    loaded = Loaded([early, 1, 1, 1, 1, turn], [shift, contrast, saturation])
    given = ByteDistortion()(sample, loaded)  # type: ignore[arg-type]
    wanted = plain_bytes(sample.image, shift, contrast, bool(early), saturation, turn)
    assert (given.image == wanted).all()


def test_the_same_dice_give_the_same_sample_and_others_another() -> None:
    steps = [SquareCrop((0.5, 0.9, 1.3)), Resize(96, 96), Flip(), Photometric()]
    sample = drawn()
    before = sample.image.copy(), sample.boxes.copy(), sample.keypoints.copy()
    first, again = (augmented(sample, steps, dice(1, 2, "a/b")) for _ in range(2))
    assert (first.image == again.image).all()
    assert first.boxes.tolist() == again.boxes.tolist()
    others = [augmented(sample, steps, dice(*key)) for key in ((2, 2, "a/b"), (1, 3, "a/b"), (1, 2, "a/c"))]
    assert all((other.image != first.image).any() for other in others)
    kept = sample.image, sample.boxes, sample.keypoints
    assert all((a == b).all() for a, b in zip(before, kept, strict=True))
    assert first.image.dtype == np.uint8
    assert first.boxes.dtype == first.keypoints.dtype == np.float32


def test_annotation_becomes_labels() -> None:
    nan = np.nan
    faces = Annotation(
        boxes=np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32),
        keypoints=np.array([[[1, 2]] * 5, [[nan, nan]] * 4 + [[7, 7]]], np.float32),
        flags=np.zeros((2, 5), np.float32),
    )
    given = Labelled.of(np.zeros((9, 9, 3), np.uint8), faces)
    assert given.keypoints[0].tolist() == [[1, 2, 1]] * 5
    assert given.keypoints[1].tolist() == [[0, 0, 0]] * 4 + [[7, 7, 1]]
    assert given.ignored.tolist() == [False, False]
    assert len(Labelled.of(given.image, None).boxes) == len(Labelled.of(given.image, Annotation()).boxes) == 0


def test_tables_are_bytes() -> None:
    assert colours._bytes(np.array([-3.0, 1.9, 300])).tolist() == [0, 1, 255]


def recipes(side: int) -> list[list[Step]]:
    """The steps of YuNet, SCRFD with and without clipping, and RetinaFace, to squares of `side`."""
    redistributed = (0.3, 0.45, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0)
    return [
        [SquareCrop((0.5, 0.7, 0.9, 1.1, 1.3, 1.5)), Resize(side, side), Flip()],
        [SquareCrop(redistributed), Resize(side, side), Flip(), Photometric()],
        [SquareCrop(redistributed, clip=False), Resize(side, side), Flip(), Photometric()],
        [InnerCrop(), ByteDistortion(), PadSquare(), Flip(), Resize(side, side, tuple(INTERPOLATIONS))],
    ]


@pytest.mark.parametrize("recipe", range(4))
def test_images_of_any_shape_with_any_faces_come_through(recipe: int) -> None:
    steps = recipes(24)[recipe]
    for number in range(150):
        random = dice(3, recipe, str(number))
        width, height = (int(side) for side in random.integers(1, 60, 2))
        count = int(random.integers(0, 6))
        corners = random.uniform(-20, 70, (count, 2))
        boxes = np.concatenate([corners, corners + random.uniform(-1, 30, (count, 2))], axis=1).astype(np.float32)
        boxes[random.random(count) < 0.1] = np.nan
        keypoints = np.concatenate([random.uniform(-20, 90, (count, 5, 2)), np.ones((count, 5, 1))], axis=2)
        image = random.integers(0, 256, (height, width, 3), np.uint8)
        sample = Labelled(image, boxes, keypoints.astype(np.float32), random.random(count) < 0.2)
        given = augmented(sample, steps, random)
        assert given.image.shape == (24, 24, 3)
        assert given.image.dtype == np.uint8
        assert len(given.boxes) == len(given.keypoints) == len(given.ignored) <= count
        if recipe < 2:
            assert ((given.boxes >= -1e-4) & (given.boxes <= 24 + 1e-4)).all()
