"""The C++ that methods bring reads outputs as their Python does."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zoo_retinaface.decode
import zoo_scrfd.decode
import zoo_slim56.landmarks
import zoo_synthetics.landmarks
import zoo_yunet.decode
from numpy.typing import NDArray

from tests.converters.zoo_cpp import building
from tests.converters.zoo_cpp.building import address
from zoo.errors import ModelError
from zoo.networks.native import Native, constant
from zoo.plugins import catalogue, resolve
from zoo.specs import ModelCard
from zoo.types import Faces

Arrays = Sequence[NDArray[np.float32]]

DETECTOR = """
extern "C" int decoded(const float* const* outputs, int width, int height, float threshold, float* found, int most) {
  return decode(outputs, width, height, threshold, reinterpret_cast<Candidate*>(found), most);
}
extern "C" int64_t most(int width, int height) { return decode_capacity(width, height); }
"""
LANDMARKS = """
extern "C" void read(const float* const* outputs, int width, int height, float* points, float* variances) {
  read_points(outputs, width, height, points, variances);
}
"""
SIZES = ((320, 256), (64, 32), (32, 32), (33, 65))


def card_of(name: str) -> ModelCard:
    return catalogue().cards[name]


def native_of(card: ModelCard, columns: Sequence[int]) -> Native:
    native = resolve(catalogue().methods[card.method].native)(card, columns)
    assert isinstance(native, Native)
    return native


def library(folder: Path, native: Native, harness: str) -> ctypes.CDLL:
    body = building.parts("nms") + native.source
    return building.loaded(building.compiled(folder, building.assembled("", body, harness), building.compilers()[0]))


def pointers(arrays: Arrays) -> Any:
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


def decoded(found: ctypes.CDLL, arrays: Arrays, width: int, height: int, threshold: float) -> Faces:
    found.most.restype = ctypes.c_int64
    capacity = found.most(width, height)
    rows = np.full((capacity + 1, 16), np.nan, np.float32)
    count = found.decoded(pointers(arrays), width, height, ctypes.c_float(threshold), address(rows), capacity)
    assert np.isnan(rows[count:]).all()
    return Faces(rows[:count, 2:6], rows[:count, 0], rows[:count, 6:].reshape(-1, 5, 2))


def same(found: Faces, wanted: Faces) -> None:
    assert len(found) == len(wanted)
    assert np.allclose(found.scores, wanted.scores, rtol=1e-6, atol=1e-7)
    assert np.allclose(found.boxes, wanted.boxes, rtol=1e-5, atol=1e-3, equal_nan=True)
    if wanted.keypoints is not None and wanted.keypoints.shape[1]:
        assert found.keypoints is not None
        assert np.allclose(found.keypoints, wanted.keypoints, rtol=1e-5, atol=1e-3, equal_nan=True)


def outputs(columns: Sequence[int], rows: Sequence[int]) -> Arrays:
    """What a network could give: mostly small numbers, some that are no probabilities, and no number."""
    random = np.random.default_rng(7)
    arrays = [random.normal(0.3, 0.4, size).astype(np.float32) for size in zip(rows, columns, strict=True)]
    arrays[0][:: max(1, len(arrays[0]) // 3)] = np.nan
    return arrays


@pytest.mark.parametrize("name", ["yunet_n", "yunet_s"])
def test_yunet(tmp_path: Path, name: str) -> None:
    card = card_of(name)
    strides = card.arguments["strides"]
    decode = zoo_yunet.decode.Decode(strides)
    found = library(tmp_path, native_of(card, decode.channels), DETECTOR)
    for width, height in SIZES:
        rows = [zoo_yunet.decode.cell_count(width, height, stride) for stride in strides] * 4
        arrays = outputs(decode.channels, rows)
        for threshold in (0.0, 0.3, 0.9):
            same(decoded(found, arrays, width, height, threshold), decode(arrays, width, height, threshold))


@pytest.mark.parametrize("name", ["scrfd_500m", "scrfd_500m_bnkps"])
def test_scrfd(tmp_path: Path, name: str) -> None:
    card = card_of(name)
    strides, anchors = card.arguments["strides"], card.arguments["anchors"]
    decode = zoo_scrfd.decode.Decode(strides, anchors, card.keypoints)
    native = native_of(card, decode.channels)
    assert native.plus_one
    found = library(tmp_path, native, DETECTOR)
    for width, height in SIZES:
        cells = [zoo_scrfd.decode.cell_count(width, height, stride) * anchors for stride in strides]
        arrays = outputs(decode.channels, cells * (3 if card.keypoints else 2))
        for threshold in (0.1, 0.6):
            same(decoded(found, arrays, width, height, threshold), decode(arrays, width, height, threshold))


@pytest.mark.parametrize("name", ["retinaface_mnet025", "retinaface_1mb_slim", "retinaface_1mb_mnet025"])
@pytest.mark.parametrize("columns", [(4, 2, 10), (10, 4, 2)])
def test_retinaface(tmp_path: Path, name: str, columns: tuple[int, ...]) -> None:
    card = card_of(name)
    steps, sizes, variances = (card.arguments[key] for key in ("steps", "min_sizes", "variances"))
    decode = zoo_retinaface.decode.Decode(tuple(steps), tuple(map(tuple, sizes)), tuple(variances))
    found = library(tmp_path, native_of(card, columns), DETECTOR)
    for width, height in (*SIZES, (101, 77)):
        rows = len(zoo_retinaface.decode.prior_boxes(width, height, steps, sizes))
        arrays = outputs(columns, [rows] * 3)
        assert found.most(width, height) == rows
        for threshold in (0.1, 0.8):
            same(decoded(found, arrays, width, height, threshold), decode(arrays, width, height, threshold))


def test_a_full_buffer_stops_the_reading(tmp_path: Path) -> None:
    card = card_of("yunet_n")
    channels = zoo_yunet.decode.Decode(card.arguments["strides"]).channels
    found = library(tmp_path, native_of(card, channels), DETECTOR)
    arrays = [np.ones((16 * 16, width), np.float32) for width in channels]
    rows = np.full((4, 16), np.nan, np.float32)
    assert found.decoded(pointers(arrays), 128, 128, ctypes.c_float(0.5), address(rows), 3) == 3
    assert np.isnan(rows[3]).all()


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("peppa_slim160", 143),
        ("slim56", 136),
        ("synthetics_resnet50d", 136),
        ("synthetics3d_resnet34_mse", 140),
        ("synthetics3d_resnet34_gnll", 210),
    ],
)
def test_points(tmp_path: Path, name: str, numbers: int) -> None:
    card = card_of(name)
    read = (
        zoo_slim56.landmarks.Read(card)
        if card.method == "slim56"
        else zoo_synthetics.landmarks.ReadPoints(card, card.arguments["range"])
    )
    native = native_of(card, [numbers])
    array = np.random.default_rng(2).normal(0, 1, (1, numbers)).astype(np.float32)
    wanted = read([array], 160, 120)
    assert wanted.landmarks is not None
    points, variances = np.zeros((card.landmarks, 2), np.float32), np.zeros(card.landmarks, np.float32)
    library(tmp_path, native, LANDMARKS).read(pointers([array]), 160, 120, address(points), address(variances))
    assert np.allclose(points, wanted.landmarks[0], rtol=1e-6, atol=1e-5)
    assert native.variances == (wanted.variances is not None)
    if wanted.variances is not None:
        assert np.allclose(variances, wanted.variances[0], rtol=1e-5)


@pytest.mark.parametrize("method", ["yunet", "scrfd", "retinaface", "synthetics", "slim56"])
def test_other_networks_and_hostile_cards_are_refused(method: str) -> None:
    card = next(card for card in catalogue().cards.values() if card.method == method)
    fits: dict[str, list[int]] = {"retinaface": [4, 2, 10], "slim56": [136], "synthetics": [136]}
    columns = fits.get(method, [1] * 3 + [4] * 3 + [10] * 3 if method == "scrfd" else [1] * 6 + [4] * 3 + [10] * 3)
    with pytest.raises(ModelError):
        native_of(card, [3, 3])
    hostile = {"strides": [8, 0, 32], "steps": ["8", 16, 32], "range": '"'}
    if method != "slim56":
        with pytest.raises(ModelError):
            native_of(replace(card, arguments={**card.arguments, **hostile}), columns)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "constexpr int k = 3;"),
        (True, "constexpr bool k = true;"),
        (0.1, "constexpr double k = 0.1;"),
        ([1, 2.5], "constexpr double k[2] = {1.0, 2.5};"),
        ([[1, 2], [3, 4]], "constexpr int k[2][2] = {{1, 2}, {3, 4}};"),
    ],
)
def test_constants_are_written_as_they_are(value: object, text: str) -> None:
    assert constant("k", value) == text


@pytest.mark.parametrize("value", [[], "1; evil()", [[1], [2, 3]], float("nan"), 1 << 40, None, [None], [True, 2]])
def test_what_is_no_number_becomes_no_code(value: object) -> None:
    with pytest.raises(ModelError):
        constant("k", value)
