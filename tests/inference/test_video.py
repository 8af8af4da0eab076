"""Videos made here, whole and broken, read frame by frame and written again."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.inference.colours import find_red, picture
from zoo.errors import InputError
from zoo.inference.sources import plan
from zoo.inference.video import Capture, VideoFile

CODECS = {".avi": "MJPG", ".mkv": "mp4v", ".mov": "mp4v", ".mp4": "mp4v"}


def film(path: Path, frames: int = 30, rate: float = 24.0, size: tuple[int, int] = (64, 48)) -> Path:
    """A red square that moves a pixel a frame."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODECS[path.suffix]), rate, size)
    assert writer.isOpened()
    for number in range(frames):
        left = 4 + number % 30
        writer.write(picture(*size, (left, 10, left + 20, 30)))
    writer.release()
    return path


def cut(path: Path, part: float) -> Path:
    """The first `part` of a file."""
    data = path.read_bytes()
    short = path.with_name("cut" + path.suffix)
    short.write_bytes(data[: int(len(data) * part)])
    return short


@pytest.mark.parametrize("suffix", CODECS)
def test_every_frame_is_read_with_its_number_and_time(tmp_path: Path, suffix: str) -> None:
    capture = Capture(film(tmp_path / f"film{suffix}", 30, 24.0), "film")
    frames = list(capture.frames())
    capture.close()
    assert [frame.number for frame in frames] == list(range(30))
    np.testing.assert_allclose([frame.seconds for frame in frames], np.arange(30) / 24, atol=0.002)
    assert capture.rate == pytest.approx(24) and capture.announced == 30
    assert find_red(frames[7].image).boxes[0, 0] == pytest.approx(11, abs=2)


def test_every_nth_frame(tmp_path: Path) -> None:
    items = list(plan((str(film(tmp_path / "film.mp4", 10)),), every=4).items())
    assert [item.frame for item in items] == [0, 4, 8]
    assert items[0].clip is not None and items[0].clip.rate == pytest.approx(6)
    assert plan((str(tmp_path / "film.mp4"),), every=4).total == 3


@pytest.mark.parametrize("suffix", [".avi", ".mkv"])
@pytest.mark.parametrize("frames", [30, 120])
def test_of_a_video_that_breaks_off_the_frames_before_are_kept(tmp_path: Path, suffix: str, frames: int) -> None:
    short = cut(film(tmp_path / f"film{suffix}", frames), 0.6)
    *good, last = plan((str(short),)).items()
    assert frames * 0.3 < len(good) < frames * 0.8
    assert all(item.load().shape == (48, 64, 3) for item in good)
    with pytest.raises(InputError, match=rf"cut{suffix} breaks off after frame {len(good)} of {frames}\.$"):
        last.load()


def test_a_video_without_its_index_cannot_be_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (item,) = plan((str(cut(film(tmp_path / "film.mp4"), 0.6)),)).items()
    with pytest.raises(InputError, match="is not a video that can be read, or its end is missing"):
        item.load()
    assert capfd.readouterr().err == ""


def test_a_frame_too_few_is_no_damage(tmp_path: Path) -> None:
    capture = Capture(film(tmp_path / "film.mp4", 60), "film")
    capture.announced = 62
    assert len(list(capture.frames())) == 60
    capture.close()


@pytest.mark.parametrize(("name", "stored"), [("a.mp4", "a.mp4"), ("a.avi", "a.avi"), ("a.webm", "a.webm.mp4")])
def test_a_written_video_keeps_rate_size_and_count(tmp_path: Path, name: str, stored: str) -> None:
    with VideoFile(tmp_path / name, 12.5) as file:
        for number in range(9):
            file.write(picture(80, 60, (number, 5, number + 20, 30)))
        assert not (tmp_path / stored).exists()
    capture = cv2.VideoCapture(str(tmp_path / stored))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(12.5)
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 9
    assert capture.read()[1].shape == (60, 80, 3)


def test_nothing_is_left_of_a_video_whose_writing_failed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), VideoFile(tmp_path / "a.mp4", 25) as file:
        file.write(picture())
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
