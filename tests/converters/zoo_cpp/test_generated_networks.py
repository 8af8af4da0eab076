"""Whole networks as C++ against ONNX Runtime, on photographs: raw outputs, what is decoded of them, and what the
program's own functions say."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="programs are compared with ONNX Runtime")

import cv2
from zoo_cpp.generate import generate
from zoo_cpp.options import CppOptions

import zoo
from tests.converters.zoo_cpp.building import compilers
from tests.converters.zoo_cpp.calls import Program
from tests.converters.zoo_cpp.graphs import LEAST
from tests.converters.zoo_cpp.test_reader_networks import exported, weights
from zoo import images
from zoo.inference.preprocess import Preprocessor, parse_sizes
from zoo.plugins import catalogue
from zoo.runtimes import open_session
from zoo.specs import ModelCard
from zoo.types import Faces, Floats, Image

RAW = 1e-4
"""The largest difference of a raw number, as a part of its output's largest, or of `LEAST`."""

PIXELS, SCORE, DIRECTION = 0.1, 1e-3, 1e-3
SIZES = [(320, 256), (160, 224), (640, 480)]
"""Widths and heights of inputs where they are open."""

PHOTOGRAPHS = {
    "libfd_android_test.jpg": (240, 320),
    "libfd_android_test2.jpg": (550, 375),
    "inspireface_rot_0.jpg": (325, 402),
    "insightface_t1.jpg": (641, 443),
}
"""Photographs with faces, and the (width, height) at which they are looked at."""


@dataclass(frozen=True)
class Source:
    """Where a network comes from: a file of the fixtures in `form`, or random weights where there is none."""

    file: str = ""
    form: str = "onnx"
    needs: tuple[str, ...] = ()
    slow: bool = False


SOURCES: Mapping[str, Source] = {
    "yunet_n": Source("yunet/yunet_n_dynamic.onnx"),
    "yunet_s": Source("yunet/yunet_s_dynamic.onnx"),
    "scrfd_500m_bnkps": Source("scrfd/scrfd_500m_bnkps_dynamic.onnx"),
    "scrfd_2.5g_bnkps": Source("scrfd/scrfd_2.5g_bnkps_dynamic.onnx"),
    "retinaface_mnet025": Source("retinaface/m2man_mobilenet0.25_Final.pth", "torch", ("torch",)),
    "mobilefacenet_foamliu": Source("recognition/foamliu_MobileFaceNet.onnx"),
    "peppa_slim160": Source("landmarks/peppa_slim160_68.onnx"),
    "slim56": Source("written_by_originals/slim_ckpt_bn_dm05/landmark.float.tflite", "tflite", ("tf2onnx",)),
    "synthetics_resnet50d": Source(form="torch", needs=("torch", "timm"), slow=True),
    "arcface_r18": Source(form="torch", needs=("torch", "timm"), slow=True),
}


def sources() -> list[Any]:
    asked = bool(os.environ.get("ZOO_SOAK"))
    slow = [pytest.mark.slow, pytest.mark.skipif(not asked, reason="takes long; make soak runs it")]
    return [pytest.param(name, marks=slow if source.slow else []) for name, source in SOURCES.items()]


@pytest.fixture
def network(request: pytest.FixtureRequest, fixtures: Path, tmp_path: Path) -> Path:
    """The network as an ONNX file."""
    compilers()
    name: str = request.param
    source, card = SOURCES[name], catalogue().cards[name]
    for package in source.needs:
        pytest.importorskip(package, reason=f"the network is written by {package}")
    path = fixtures / source.file if source.file else weights(card, tmp_path)
    return path if source.form == "onnx" else exported(path, source.form, tmp_path / "network.onnx", card)


def photographs(fixtures: Path) -> list[Image]:
    read = [(images.read(fixtures / "images" / name), size) for name, size in PHOTOGRAPHS.items()]
    return [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image, size in read]


Record = Callable[[str, Any], None]


def assert_same_tensors(path: Path, folder: Path, card: ModelCard, pictures: list[Image], record: Record) -> None:
    """Raise unless raw outputs are the same at three sizes; the largest difference at each is recorded."""
    reference = open_session(path, "onnx", runtime="onnxruntime", threads=1, card=card)
    generated = open_session(folder, "cpp", runtime="cpp", threads=2, card=card)
    sizes = SIZES
    if card.preprocess.crop.kind:
        only = parse_sizes(card.preprocess.size)[0]
        sizes = [(only.width, only.height)] * 3
    preprocessor = Preprocessor(replace(card.preprocess, multiple=1))
    for size, picture in zip(sizes, pictures, strict=False):
        given = preprocessor.laid_out(preprocessor.tensor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA)))
        wanted, found = (one.run({one.inputs[0].name: given}) for one in (reference, generated))
        apart = {
            info.name: float(np.abs(one.reshape(other.shape) - other).max() / max(LEAST, np.abs(one).max()))
            for one, other, info in zip(wanted, found, generated.outputs, strict=True)
        }
        record(f"raw at {size[0]}x{size[1]}", max(apart.values()))
        assert max(apart.values()) <= RAW, (apart, size)


def assert_same_faces(found: Faces, wanted: Faces, least: float, record: Record) -> None:
    """Raise unless both are the same faces, in any order; one whose score is `least`, as exactly as that is known, may
    be missing."""
    apart = np.abs(wanted.boxes[:, None] - found.boxes[None]).max(axis=2) if len(found) else np.zeros((len(wanted), 0))
    sure = wanted.scores > least + SCORE
    assert (apart.min(axis=1, initial=np.inf) <= PIXELS)[sure].all()
    assert (apart.min(axis=0, initial=np.inf) <= PIXELS)[found.scores > least + SCORE].all()
    if not sure.any():
        return
    one, other = wanted.select(np.flatnonzero(sure)), found.select(apart.argmin(axis=1)[sure])
    scores = float(np.abs(one.scores - other.scores).max())
    record("score", scores)
    assert scores <= SCORE
    assert_near(other.boxes, one.boxes, "boxes", record)
    if one.keypoints is not None:
        assert other.keypoints is not None
        assert_near(other.keypoints, one.keypoints, "keypoints", record)


def assert_near(found: Floats, wanted: Floats, name: str, record: Record) -> None:
    pixels = float(np.abs(found - wanted).max(initial=0))
    record(name, pixels)
    assert pixels <= PIXELS, name


def assert_same_findings(found: Faces, wanted: Faces, record: Record) -> None:
    if wanted.landmarks is not None:
        assert found.landmarks is not None
        assert_near(found.landmarks, wanted.landmarks, "landmarks", record)
    if wanted.embeddings is not None and len(wanted):
        assert found.embeddings is not None
        one, other = (
            (each / np.linalg.norm(each, axis=1, keepdims=True)) for each in (found.embeddings, wanted.embeddings)
        )
        apart = 1 - float((one * other).sum(axis=1).min())
        record("1 - cosine", apart)
        assert apart <= DIRECTION


@pytest.mark.parametrize("network", sources(), indirect=True)
def test_a_network_is_the_same_in_cpp(
    network: Path, fixtures: Path, tmp_path: Path, request: pytest.FixtureRequest, record_property: Any
) -> None:
    card = catalogue().cards[request.node.callspec.params["network"]]
    folder, pictures = tmp_path / "cpp", photographs(fixtures)
    generate(network, folder, card, CppOptions(data="binary"))
    assert_same_tensors(network, folder, card, pictures, record_property)
    if card.preprocess.crop.kind:
        compare_findings(network, folder, card, pictures, fixtures, record_property)
    else:
        compare_detections(network, folder, card, pictures, record_property)


def compare_detections(path: Path, folder: Path, card: ModelCard, pictures: list[Image], record: Record) -> None:
    """A detector through `zoo.load`, and through its own ``detect``."""
    reference = zoo.load(path, card=card.id, runtime="onnxruntime", threads=1)
    generated = zoo.load(folder, runtime="cpp", threads=1)
    least, total = card.thresholds["photo"].score, 0
    with Program(folder, (1280, 1280), 2) as program:
        for picture in pictures:
            wanted = reference(picture)
            total += len(wanted)
            assert_same_faces(generated(picture), wanted, least, record)
            assert_same_faces(program.detect(picture), wanted, least, record)
    assert total > 8


def compare_findings(
    path: Path, folder: Path, card: ModelCard, pictures: list[Image], fixtures: Path, record: Record
) -> None:
    """A network of single faces through `zoo.load`, and through its own ``find`` or ``embed``."""
    detector = zoo.load(fixtures / SOURCES["yunet_n"].file, card="yunet_n", runtime="onnxruntime", threads=1)
    reference = zoo.load(path, card=card.id, runtime="onnxruntime", threads=1)
    generated = zoo.load(folder, runtime="cpp", threads=1)
    size, total = parse_sizes(card.preprocess.size)[0], 0
    with Program(folder, (size.width, size.height)) as program:
        for picture in pictures:
            faces = detector(picture)
            wanted = reference(picture, faces)
            total += len(wanted)
            assert_same_findings(generated(picture, faces), wanted, record)
            if wanted.landmarks is not None:
                own = replace(wanted, landmarks=program.find(picture, faces, card.landmarks))
            else:
                own = replace(wanted, embeddings=program.embed(picture, faces, card.embedding))
            assert_same_findings(own, wanted, record)
    assert total > 8
