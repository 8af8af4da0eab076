"""The contact sheet: what it chooses, and that what it draws stands where it belongs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.datasets.lines import SPEC, LinesOptions, grey, numbered, write
from zoo import images
from zoo.datasets.dataset import Dataset
from zoo.datasets.sample import Annotation, Broken, EncodedImage, Sample
from zoo.datasets.sheet import Layout, captions, choose, sheet, thinned, tile, write_sheet
from zoo.errors import InputError, UsageError


@given(count=st.integers(0, 3000), number=st.integers(1, 40), group=st.integers(1, 2))
def test_a_stream_is_thinned_evenly(count: int, number: int, group: int) -> None:
    number, count = number * group, count * group
    chosen = thinned(iter(range(count)), number, group)
    assert len(chosen) == min(number, count)
    assert chosen == sorted(set(chosen))
    if group == 2:
        assert all(a % 2 == 0 and b == a + 1 for a, b in zip(chosen[::2], chosen[1::2], strict=True))
    if chosen:
        gaps = np.diff([*chosen[::group], count])
        assert gaps.max() <= 4 * max(1, count / number) * group
        assert chosen[0] == 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("count", [1, 29, 30, 31, 1000])
def test_chosen_evenly_the_same_each_time(tmp_path: Path, count: int, stream: bool) -> None:
    dataset = Dataset(numbered(tmp_path / "set", count), SPEC, LinesOptions(stream=stream))
    numbers = [int(sample.key) for sample in choose(dataset, 30)]
    assert numbers == [int(sample.key) for sample in choose(dataset, 30)]
    assert len(numbers) == min(count, 30)
    assert numbers[0] == 0
    assert numbers[-1] >= 0.9 * (count - 1)


def black(width: int, height: int) -> EncodedImage:
    return EncodedImage(images.encode(np.zeros((height, width, 3), np.uint8), ".png"))


def test_annotation_is_scaled_with_its_image() -> None:
    box = np.array([[400, 100, 600, 300]], np.float32)
    points = np.array([[[np.nan, np.nan], [450, 150], [500, 200], [470, 250], [530, 250]]], np.float32)
    drawn = tile(Sample("a", black(800, 400), faces=Annotation(box, points)), 160)
    assert drawn.shape == (160, 160, 3)
    assert (drawn[:40] == drawn[0, 0]).all() and (drawn[120:] == drawn[0, 0]).all()  # the image is a band of 80 rows
    ys, xs = np.nonzero(drawn[40:120].max(axis=2))
    assert abs(int(xs.min()) - 80) <= 2 and abs(int(xs.max()) - 120) <= 2
    assert abs(int(ys.min()) - 20) <= 2 and abs(int(ys.max()) - 60) <= 2
    assert drawn[40 + 40, 100].max() > 150  # the nose
    assert drawn[40 + 25, 86].max() == 0  # where nothing is


def test_ignored_boxes_are_grey() -> None:
    boxes = np.array([[10, 10, 70, 70], [90, 90, 150, 150]], np.float32)
    drawn = tile(Sample("a", black(160, 160), faces=Annotation(boxes, ignored=np.array([True, False]))), 160)
    first, second = drawn[:80, :80].reshape(-1, 3).astype(int), drawn[80:, 80:].reshape(-1, 3).astype(int)
    assert np.ptp(first, axis=1).max() == 0
    assert np.ptp(second, axis=1).max() > 50


def test_landmarks_need_no_box() -> None:
    landmarks = np.array([[[20, 20], [140, 140], [np.nan, 5]]], np.float32)
    drawn = tile(Sample("a", black(160, 160), faces=Annotation(landmarks=landmarks)), 160)
    ys, xs = np.nonzero(drawn.max(axis=2))
    assert {int(y) // 40 for y in ys} == {0, 3} == {int(x) // 40 for x in xs}


def test_odd_samples_do_not_spoil_the_sheet() -> None:
    wild = Annotation(
        np.array([[-1e30, np.nan, np.inf, 5], [9, 9, 3, 3]], np.float32),
        np.full((2, 5, 2), np.nan, np.float32),
        landmarks=np.full((2, 3, 2), np.nan, np.float32),
    )
    samples = [
        Sample("a\nb\x1b[31m" * 50, black(3000, 1), faces=wild),
        Sample("", EncodedImage(b"no image")),
        Sample("Zoë 张 \U0001f600", None, identity="née"),
        Broken("d", "cut off\n" * 99),
        Sample("pair", EncodedImage(grey(9, 9, 1)), pair=3, same=False),
        Sample("points", black(2, 2), faces=Annotation(landmarks=np.full((1, 3, 2), np.nan, np.float32))),
    ]
    drawn = sheet(samples, "title " * 99, Layout(4, 2, 100))
    assert drawn.dtype == np.uint8 and drawn.shape[2] == 3
    assert [text for text, _ in captions(samples[4])] == ["pair", "pair 3: different"]


def test_a_file_is_written_whole_or_refused(tmp_path: Path) -> None:
    dataset = Dataset(numbered(tmp_path / "set", 40), SPEC)
    assert write_sheet(dataset, tmp_path / "sheet.png") == 30
    drawn = cv2.imread(str(tmp_path / "sheet.png"))
    assert drawn is not None and drawn.shape[1] == 6 * 172 + 12
    first = (tmp_path / "sheet.png").read_bytes()
    write_sheet(dataset, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes() == first
    with pytest.raises(UsageError, match=r"must end in one of \.bmp"):
        write_sheet(dataset, tmp_path / "sheet.pdf")
    with pytest.raises(InputError, match="without images"):
        write_sheet(Dataset(write(tmp_path / "empty"), SPEC), tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
