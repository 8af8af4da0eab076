"""Comparing two models tensor by tensor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.models.conftest import tiny_onnx
from zoo.errors import ModelError
from zoo.models import decoded, parity
from zoo.models.parity import measure, probes
from zoo.plugins import catalogue
from zoo.runtimes import Session, open_session
from zoo.specs import ModelCard
from zoo.types import Faces


def opened(path: Path) -> Session:
    return open_session(path, "onnx", threads=1, device="cpu")


def test_the_same_file_is_the_same_model(tmp_path: Path, card: ModelCard) -> None:
    path = tiny_onnx(tmp_path / "a.onnx")
    given = list(probes(card, [(64, 32)], (1, 2), 2))
    found = measure(opened(path), opened(path), (card, card), given, 0.0)
    assert found.holds
    assert [(one.probe, one.absolute) for one in found.differences] == [
        ("noise 0 64x32", 0.0),
        ("noise 1 64x32", 0.0),
        ("noise 0 64x32 x2", 0.0),
        ("noise 1 64x32 x2", 0.0),
    ]
    assert found.reference == "onnxruntime on cpu"


def test_differences_are_those_that_numpy_finds(tmp_path: Path, card: ModelCard) -> None:
    one, other = opened(tiny_onnx(tmp_path / "a.onnx")), opened(tiny_onnx(tmp_path / "b.onnx", 1.001))
    (given,) = probes(card, [(32, 32)], (1,), 1)
    (found,) = measure(one, other, (card, card), [given], 1e-4).differences
    wanted, got = (session.run({"images": given.images})[0].astype(np.float64) for session in (one, other))
    assert found.absolute == pytest.approx(np.abs(wanted - got).max())
    assert found.relative == pytest.approx(np.abs(wanted - got).max() / np.abs(wanted).max())
    assert found.relative == pytest.approx(1e-3, rel=0.01)
    assert found.cosine == pytest.approx(1, abs=1e-6)
    assert not found.within
    assert measure(one, other, (card, card), [given], 2e-3).holds


def test_probes_are_pixels_after_the_arithmetic(card: ModelCard) -> None:
    contract = replace(card.preprocess, mean=(10, 20, 30), scale=0.5, std=(1, 2, 4))
    plain, prepared = (
        next(probes(replace(card, preprocess=each), [(8, 4)], (1,), 1)).images for each in (card.preprocess, contract)
    )
    assert plain.shape == (1, 3, 4, 8)
    assert plain.min() >= 0
    assert 200 < plain.max() < 255
    means, deviations = np.array([10, 20, 30])[:, None, None], np.array([1, 2, 4])[:, None, None]
    np.testing.assert_allclose(prepared[0], (plain[0] - means) * 0.5 / deviations, rtol=1e-5)


def test_what_both_leave_open_is_tried(tmp_path: Path, card: ModelCard) -> None:
    free, single = opened(tiny_onnx(tmp_path / "a.onnx")), opened(tiny_onnx(tmp_path / "b.onnx", batch=1))
    tried = [one.probe for one in parity.between(free, free, (card, card), (64, 32), 1, 1e-6).differences]
    assert tried == ["noise 0 64x32", "noise 0 64x32 x2", "noise 0 96x64", "noise 0 96x64 x2"]
    assert [one.probe for one in parity.between(free, single, (card, card), (64, 32), 1, 1e-6).differences] == tried[
        ::2
    ]


def test_an_original_that_takes_one_image_is_given_them_one_by_one(tmp_path: Path, card: ModelCard) -> None:
    free, single = opened(tiny_onnx(tmp_path / "a.onnx")), opened(tiny_onnx(tmp_path / "b.onnx", batch=1))
    found = parity.between(single, free, (card, card), (64, 32), 1, 1e-6)
    assert found.holds
    assert "noise 0 64x32 x2" in [one.probe for one in found.differences]


@pytest.mark.parametrize(("first", "second", "together"), [(2, 2, 2), (2, "batch", 2), (2, 3, 6), ("batch", 3, 3)])
def test_files_of_several_images_at_once_are_given_as_many(
    tmp_path: Path, card: ModelCard, first: int | str, second: int | str, together: int
) -> None:
    one, other = (opened(tiny_onnx(tmp_path / f"{index}.onnx", batch=n)) for index, n in enumerate((first, second)))
    found = parity.between(one, other, (card, card), (64, 32), 1, 1e-6)
    assert found.holds
    assert {one.probe for one in found.differences} == {f"noise 0 {size} x{together}" for size in ("64x32", "96x64")}


def test_an_original_of_one_size_decides_the_size(card: ModelCard, fixtures: Path) -> None:
    fixed, free = (opened(fixtures / "yunet" / f"yunet_s_{name}.onnx") for name in ("320_320", "dynamic"))
    assert parity.only_size(fixed, card) == (320, 320)
    assert parity.only_size(free, card) is None
    known = catalogue().cards["yunet_s"]
    found = parity.between(fixed, free, (known, known), (640, 480), 1, 1e-4)
    assert {one.probe for one in found.differences} == {"noise 0 320x320", "noise 0 320x320 x2"}
    assert found.holds


def test_models_of_other_outputs_are_no_pair(tmp_path: Path, card: ModelCard, fixtures: Path) -> None:
    tiny, yunet = opened(tiny_onnx(tmp_path / "a.onnx")), opened(fixtures / "yunet" / "yunet_n_dynamic.onnx")
    given = probes(card, [(32, 32)], (1,), 1)
    with pytest.raises(ModelError, match="has 12 outputs and the converted model 1"):
        measure(yunet, tiny, (card, card), given, 1e-4)


def faces(count: int, shift: float = 0.0) -> Faces:
    corners = np.arange(count, dtype=np.float32)[:, None] * 100 + np.array([0, 0, 50, 60], np.float32)
    points = np.repeat(corners[:, None, :2], 5, axis=1)
    return Faces(corners + shift, np.full(count, 0.9, np.float32), points + 2 * shift)


def test_the_same_faces_in_any_order() -> None:
    found = faces(3)
    result = decoded.difference(found, found.select(np.array([2, 0, 1])))
    assert result.holds
    assert (result.faces, result.overlap, result.pixels) == (3, 1.0, 0.0)


def test_what_differs_between_faces() -> None:
    result = decoded.difference(faces(3), faces(3, 0.04))
    assert result.holds
    assert result.pixels == pytest.approx(0.08, abs=1e-4)
    assert not decoded.difference(faces(3), faces(3, 0.1)).holds
    assert not decoded.difference(faces(3), faces(2)).holds
    assert not decoded.difference(faces(3), Faces.empty(5)).holds
    assert decoded.difference(Faces.empty(5), Faces.empty(5)).holds
    lower = faces(2)
    assert not decoded.difference(faces(2), Faces(lower.boxes, lower.scores - 0.01, lower.keypoints)).holds


def test_embeddings_are_compared_by_angle() -> None:
    one = faces(1)
    vectors = np.array([[3, 4]], np.float32)
    same, turned = (Faces(one.boxes, one.scores, embeddings=v) for v in (vectors * 2, np.array([[4, 3]], np.float32)))
    original = Faces(one.boxes, one.scores, embeddings=vectors)
    assert decoded.difference(original, same).cosine == pytest.approx(1)
    assert decoded.difference(original, turned).cosine == pytest.approx(24 / 25)
    assert not decoded.difference(original, turned).holds
    assert not decoded.difference(original, one).holds
