"""What pictures show of landmarks and how sure they are; boxes, scores and keypoints are tested with the images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zoo.drawing import CERTAINTY, SURE, UNSURE, draw
from zoo.types import Faces, Image

BOX = (300, 200, 700, 600)
SPOTS = ((350, 300), (450, 300), (550, 300), (650, 300), (350, 500), (450, 500))


def grey(width: int = 1000, height: int = 800) -> Image:
    return np.full((height, width, 3), 128, np.uint8)


def faces(*parts: float, box: tuple[float, ...] = BOX) -> Faces:
    """A face with a landmark for each standard deviation, given as a part of the face's size."""
    deviations = np.array(parts, np.float32) * (box[2] - box[0])
    points = np.array(SPOTS[: len(parts)], np.float32)[None] + 0.5
    return Faces(np.float32([box]), np.float32([0.9]), landmarks=points, variances=(deviations**2)[None])


def at(picture: Image, spot: tuple[int, int]) -> tuple[int, ...]:
    return tuple(picture[spot[1], spot[0]].tolist())


def test_certainty_is_a_colour_from_blue_through_yellow_to_red() -> None:
    middle = (SURE + UNSURE) / 2
    picture = draw(grey(), faces(0, SURE, middle, UNSURE, 3 * UNSURE, float("nan")))
    blue, yellow, red = CERTAINTY[0][1], CERTAINTY[2][1], CERTAINTY[-1][1]
    for spot, colour in zip(SPOTS, (blue, blue, yellow, red, red, red), strict=True):
        assert np.abs(np.subtract(at(picture, spot), colour)).max() <= 2, spot


def test_between_the_ends_the_colours_are_all_different_and_none_is_grey() -> None:
    parts = np.linspace(SURE, UNSURE, 6)
    colours = [at(draw(grey(), faces(part)), SPOTS[0]) for part in parts]
    assert len(set(colours)) == 6
    assert all(max(colour) - min(colour) > 100 for colour in colours)


def test_the_same_deviation_means_less_on_a_larger_face() -> None:
    small, large = faces(0.02, box=(330, 280, 530, 480)), faces(0.02)
    same = replace(large, variances=small.variances)
    assert at(draw(grey(), small), SPOTS[0]) == at(draw(grey(), large), SPOTS[0])
    assert at(draw(grey(), same), SPOTS[0])[0] > at(draw(grey(), large), SPOTS[0])[0]  # bluer


@pytest.mark.parametrize("corner", [0, 1, 2, 3])
def test_the_legend_lies_in_a_corner_without_a_face(corner: int) -> None:
    plain = faces(0.01)
    covers = [(0, 600, 300, 800), (700, 600, 1000, 800), (0, 0, 300, 200), (700, 0, 1000, 200)]
    taken = np.float32([box for index, box in enumerate(covers) if index != corner] + [BOX])
    points = np.repeat(plain.landmarks, 4, axis=0) if plain.landmarks is not None else None
    crowd = Faces(taken, np.full(4, 0.5, np.float32), landmarks=points, variances=np.ones((4, 1), np.float32))
    with_legend, without = draw(grey(), crowd), draw(grey(), replace(crowd, variances=None))
    changed = (with_legend != without).any(axis=2)
    x1, y1, x2, y2 = covers[corner]
    assert changed[y1:y2, x1:x2].mean() > 0.05
    changed[y1:y2, x1:x2] = False
    rows, columns = np.nonzero(changed)  # all else that changed is the landmark
    assert len(rows) < 200
    assert np.hypot(columns - SPOTS[0][0], rows - SPOTS[0][1]).max() < 10


def test_the_legend_shows_the_colours_of_the_ends() -> None:
    picture = draw(grey(), faces(0.01))[600:]
    for _, colour in (CERTAINTY[0], CERTAINTY[-1]):
        assert (picture == colour).all(axis=2).sum() >= 5


def test_no_legend_where_nothing_is_said_of_certainty_or_where_there_is_no_room() -> None:
    plain = replace(faces(0.01), variances=None)
    assert (draw(grey(), plain)[620:] == 128).all()
    assert (draw(grey(), Faces.empty()) == 128).all()
    thumbnail = replace(faces(0.01), boxes=np.float32([[30, 10, 60, 40]]), landmarks=np.float32([[[40, 20]]]))
    assert (draw(grey(80, 60), thumbnail)[45:] == 128).all()


def test_landmarks_are_drawn_in_the_place_of_keypoints() -> None:
    plain = replace(faces(0.01), variances=None)
    keypoints = np.float32([[(600, 450)] * 5])
    assert at(draw(grey(), replace(plain, keypoints=keypoints)), (600, 450)) == (128,) * 3
    assert at(draw(grey(), replace(plain, keypoints=keypoints, landmarks=None)), (600, 450)) != (128,) * 3


def test_embeddings_draw_nothing() -> None:
    plain = faces(0.01)
    with_numbers = replace(plain, embeddings=np.ones((1, 128), np.float32))
    np.testing.assert_array_equal(draw(grey(), with_numbers), draw(grey(), plain))
