"""Aligning samples: by given keypoints, by a detector, and the account of those that have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from zoo import alignment, images
from zoo.datasets.aligning import Align, Aligner, account, best, read_keypoints
from zoo.datasets.sample import EncodedImage, Sample
from zoo.errors import InputError, UsageError
from zoo.types import Faces, Image

PICTURE = np.random.default_rng(3).integers(0, 255, (200, 180, 3), np.uint8)
POINTS = alignment.template() * 0.8 + np.array([30, 50], np.float32)
ROW = " ".join(f"{value:.4f}" for value in POINTS.ravel())


def sample(key: str = "a/b") -> Sample:
    return Sample(
        key, EncodedImage(images.encode(PICTURE, ".png"), "png"), pair=3, same=True, extra={"path": f"{key}.png"}
    )


def no_detector(name: str) -> None:
    raise AssertionError(f"{name} must not be loaded")


def keypoints(folder: Path, *lines: str) -> str:
    path = folder / "label.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


@pytest.mark.parametrize("line", [f"a/b.png {ROW}", f"./a\\b.png 1 2 3 4 {ROW}"])
def test_given_keypoints(tmp_path: Path, line: str) -> None:
    aligner = Aligner(Align(keypoints=keypoints(tmp_path, line, ""), align_format="png"), no_detector)
    found = aligner.align(sample(), "a/b.png")
    assert found.image is not None and found.image.format == "png" and found.size == (112, 112)
    wanted = alignment.align(PICTURE, np.round(POINTS, 4))
    assert np.array_equal(found.image.decode(), wanted)
    assert (found.key, found.pair, found.same) == ("a/b", 3, True)
    assert found.extra == {"path": "a/b.png", "aligned": True}


def test_a_sample_without_keypoints_goes_as_it_is(tmp_path: Path) -> None:
    aligner = Aligner(Align(keypoints=keypoints(tmp_path, f"other.png {ROW}")), no_detector)
    given = sample()
    found = aligner.align(given)
    assert found.image is given.image and found.extra["aligned"] is False
    assert [account(each) for each in (found, sample())] == ["not aligned", "as it was"]


def test_nothing_is_touched_unless_asked() -> None:
    given, aligner = sample(), Aligner(Align(), no_detector)
    assert aligner.align(given) is given
    assert "none" in aligner.describe()


def faces(*boxes: tuple[float, float, float, float], points: bool = True) -> Faces:
    shifts = np.arange(len(boxes), dtype=np.float32)[:, None, None]
    return Faces(np.array(boxes, np.float32), np.ones(len(boxes), np.float32), POINTS + shifts if points else None)


def test_a_detector_is_loaded_once_and_asked_for_every_image() -> None:
    loaded: list[str] = []

    def load(name: str):  # type: ignore[no-untyped-def]
        loaded.append(name)
        answers = iter([faces((0, 0, 50, 50), (60, 60, 140, 150)), Faces.empty(5)])

        def detect(picture: Image) -> Faces:
            assert np.array_equal(picture, PICTURE)
            return next(answers)

        return detect

    aligner = Aligner(Align(detector="it", align_size=224, align_format="png"), load)
    first, second = aligner.align(sample()), aligner.align(sample())
    assert loaded == ["it"]
    assert first.image is not None and np.array_equal(first.image.decode(), alignment.align(PICTURE, POINTS + 1, 224))
    assert second.extra["aligned"] is False


def test_a_detector_without_keypoints_is_no_help() -> None:
    aligner = Aligner(Align(detector="it"), lambda name: lambda picture: faces((0, 0, 9, 9), points=False))
    with pytest.raises(UsageError, match="it finds no keypoints"):
        aligner.align(sample())


def test_the_face_in_the_middle_goes_before_a_larger_one_at_the_border() -> None:
    found = best(faces((0, 0, 60, 60), (70, 80, 120, 130)), 180, 200)
    assert found is not None and np.allclose(found, POINTS + 1)
    assert best(Faces.empty(5), 9, 9) is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a.png 1 2 3", "a line of 4 words"),
        (f"a.png {ROW[:-3]}x", "else than a path"),
        ("a " + "nan " * 10, "no number"),
    ],
)
def test_keypoints_that_cannot_be_read(tmp_path: Path, line: str, why: str) -> None:
    path = keypoints(tmp_path, f"b.png {ROW}", line)
    with pytest.raises(InputError, match=rf"label.txt at byte {len(ROW) + 7} has .*{why}"):
        read_keypoints(Path(path))


def test_requests_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not to 120"):
        Aligner(Align(align_size=120), no_detector)
    with pytest.raises(UsageError, match="leave out"):
        Aligner(Align(keypoints="x", detector="y"), no_detector)
    with pytest.raises(InputError, match="cannot be read"):
        Aligner(Align(keypoints=str(tmp_path / "none")), no_detector)
