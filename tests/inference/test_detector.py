"""The common detector, on a network that is made here: its score is the brightness of each 8 x 8 cell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from zoo_onnx.opencv import OpenCVSession
from zoo_onnx.ort import OrtSession

from zoo.errors import InputError, ModelError, UsageError
from zoo.geometry import boxes_from_distances, cell_count, points_at
from zoo.inference.detector import Detector, Outputs, require_outputs, require_rows
from zoo.inference.options import DetectorOptions
from zoo.specs import Licence, Licences, ModelCard, Preprocess, Thresholds
from zoo.types import Faces

FREE = Licence("MIT", "yes")
CARD = ModelCard(
    "bright",
    method="bright",
    architecture="pool",
    summary="",
    preprocess=Preprocess(multiple=8),
    licences=Licences(FREE, FREE, FREE),
    thresholds={"photo": Thresholds(0.9, 0.4), "protocol": Thresholds(0.02, 0.4)},
)


def decode(outputs: Outputs, width: int, height: int, threshold: float) -> Faces:
    """A box as large as its cell for each cell that is bright enough."""
    scores = require_rows(outputs[0], cell_count(width, height, 8), 1)[:, 0]
    found = np.flatnonzero(scores >= threshold)
    corners = points_at(found, width, 8)
    return Faces(boxes_from_distances(corners, np.tile(np.float32([0, 0, 8, 8]), (len(found), 1))), scores[found])


def write_network(path: Path, batch: int | str = "n", height: int | str = "h", width: int | str = "w") -> Path:
    """Mean of the channels, mean of each cell, divided by 255: (batch, cells, 1)."""
    shape = numpy_helper.from_array(np.array([0, -1, 1]), "shape")
    weight = numpy_helper.from_array(np.full((1, 3, 8, 8), 1 / (3 * 64 * 255), np.float32), "weight")
    nodes = [
        helper.make_node("Conv", ["x", "weight"], ["cells"], strides=[8, 8], kernel_shape=[8, 8]),
        helper.make_node("Reshape", ["cells", "shape"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, height, width])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, "rows", 1])
    graph = helper.make_graph(nodes, "bright", [x], [y], [shape, weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return write_network(tmp_path / "bright.onnx")


@pytest.fixture(params=[OrtSession, OpenCVSession])
def make(request: pytest.FixtureRequest, network: Path) -> Callable[..., Detector]:
    return lambda **options: Detector(CARD, request.param(network), decode, DetectorOptions(**options))


def picture(height: int, width: int, *squares: tuple[int, int, int]) -> np.ndarray:
    """Black, with white squares (x, y, side)."""
    image = np.zeros((height, width, 3), np.uint8)
    for x, y, side in squares:
        image[y : y + side, x : x + side] = 255
    return image


def test_finds_what_is_there(make: Callable[..., Detector]) -> None:
    faces = make()(picture(50, 70, (16, 8, 8), (40, 32, 8)))
    assert sorted(faces.boxes.tolist()) == [[16, 8, 24, 16], [40, 32, 48, 40]]
    assert faces.scores == pytest.approx([1, 1], abs=1e-5)
    assert faces.keypoints is None


def test_other_sizes_give_pixels_of_the_image(make: Callable[..., Detector]) -> None:
    image = picture(100, 200, (64, 32, 32))
    for size in ("100", "100x100"):
        boxes = make(size=size)(image).boxes  # at half the size the square is 2 x 2 cells
        assert sorted(boxes.tolist()) == [[64, 32, 80, 48], [64, 48, 80, 64], [80, 32, 96, 48], [80, 48, 96, 64]]


def test_several_sizes_are_merged(make: Callable[..., Detector]) -> None:
    small_and_large = picture(64, 128, (8, 8, 8), (64, 32, 32))
    fine, coarse = (make(size=size)(small_and_large).boxes.tolist() for size in ("original", "32x16"))
    assert len(fine) == 1 + 16
    assert coarse == [[64, 32, 96, 64]]
    assert sorted(make(size="original,32x16")(small_and_large).boxes.tolist()) == sorted(fine + coarse)


def test_one_suppression_for_all_sizes(make: Callable[..., Detector]) -> None:
    image = picture(64, 64, (16, 16, 8))
    once, twice = make(size="original")(image), make(size="original,64x64")(image)
    assert twice.boxes.tolist() == once.boxes.tolist() == [[16, 16, 24, 24]]


def test_thresholds(make: Callable[..., Detector]) -> None:
    image = picture(16, 16)
    image[:8, :8] = 100
    image[8:, 8:] = 10
    assert len(make()(image)) == 0
    assert len(make(thresholds="protocol")(image)) == 2
    assert len(make(score_threshold=0.3)(image)) == 1
    assert len(make(thresholds="protocol", max_faces=1)(image)) == 1
    assert make(thresholds="protocol")(image).scores == pytest.approx([100 / 255, 10 / 255], abs=1e-5)
    assert len(make(score_threshold=0)(image)) == 4
    with pytest.raises(UsageError, match=r"no thresholds 'protocoll'\. Did you mean protocol"):
        make(thresholds="protocoll")


def test_overlap_threshold_and_the_plus_one(network: Path) -> None:
    def two(outputs: Outputs, width: int, height: int, threshold: float) -> Faces:
        return Faces(np.float32([[0, 0, 8, 8], [4, 0, 12, 8]]), np.float32([0.9, 0.8]))

    image = picture(16, 16)  # IoU is 1/3, with +1 45/117 = 0.385
    for threshold, plus_one, count in ((0.34, False, 2), (0.32, False, 1), (0.38, True, 1), (0.39, True, 2)):
        options = DetectorOptions(nms_threshold=threshold)
        detector = Detector(CARD, OrtSession(network), two, options, plus_one=plus_one)
        assert len(detector(image)) == count


def test_batches_equal_single_runs(make: Callable[..., Detector]) -> None:
    images = [
        picture(40, 40, (8, 8, 8)),
        picture(24, 56, (16, 8, 8)),
        picture(40, 40, (24, 24, 8), (0, 0, 8)),
        picture(39, 33),
    ]
    detector = make(size="original,64x64")
    assert detector.batches
    together = detector.detect(images)
    for image, faces in zip(images, together, strict=True):
        alone = detector(image)
        assert faces.boxes.tolist() == alone.boxes.tolist()
        assert faces.scores.tolist() == alone.scores.tolist()
    assert [len(faces) > 0 for faces in together] == [True, True, True, False]


def test_a_file_for_one_image_at_a_time(tmp_path: Path) -> None:
    detector = Detector(CARD, OrtSession(write_network(tmp_path / "one.onnx", batch=1)), decode)
    assert not detector.batches
    assert [len(faces) for faces in detector.detect([picture(16, 16, (0, 0, 8))] * 3)] == [1, 1, 1]


def test_a_file_of_fixed_size(tmp_path: Path) -> None:
    session = OrtSession(write_network(tmp_path / "fixed.onnx", 1, 24, 44))
    detector = Detector(CARD, session, decode_wide)
    (fitted,) = detector.prepare(picture(48, 88)).inputs
    assert fitted.tensor.shape == (1, 3, 24, 44)
    assert Detector(CARD, session, decode_wide, DetectorOptions(size="44x24")).sizes == detector.sizes
    with pytest.raises(UsageError, match="takes 44x24 images only, not 640x640"):
        Detector(CARD, session, decode_wide, DetectorOptions(size="640x640"))


def decode_wide(outputs: Outputs, width: int, height: int, threshold: float) -> Faces:
    return Faces.empty()


def test_every_kind_of_image(make: Callable[..., Detector], tmp_path: Path) -> None:
    image = picture(32, 32, (8, 16, 8))
    path = tmp_path / "square.png"
    cv2.imwrite(str(path), image)
    detector = make()
    for source in (image, image[:, :, 0], path, str(path), path.read_bytes()):
        assert detector(source).boxes.tolist() == [[8, 16, 16, 24]]
    several: list[Any] = [image, path, path.read_bytes()]
    for sources in (several, tuple(several), iter(several), np.stack([image] * 3)):
        assert [faces.boxes.tolist() for faces in detector(sources)] == [[[8, 16, 16, 24]]] * 3
    assert list(detector([])) == []


def test_an_iterable_is_read_as_it_is_used(make: Callable[..., Detector]) -> None:
    taken = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal taken
        while True:
            taken += 1
            yield picture(8, 8)

    results = make()(endless())
    next(results)
    next(results)
    assert taken == 2
    next(make().stream(endless(), batch=4))
    assert taken == 6


@pytest.mark.parametrize(
    "source", [None, 3, 1.5, np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 3)), b"text", "absent.jpg"]
)
def test_what_is_no_image(make: Callable[..., Detector], source: Any) -> None:
    with pytest.raises(InputError) as caught:
        make()(source)
    assert "\n" not in str(caught.value)


def test_what_is_no_image_among_several(make: Callable[..., Detector]) -> None:
    results = make()([picture(8, 8), None])
    assert len(next(results)) == 0
    with pytest.raises(InputError, match="NoneType is no image"):
        next(results)


def test_one_pixel(make: Callable[..., Detector]) -> None:
    for size in ("original", "640x640", "32", "original,64"):
        assert isinstance(make(size=size)(np.full((1, 1, 3), 255, np.uint8)), Faces)


def test_threads_share_a_detector(make: Callable[..., Detector]) -> None:
    detector = make(size="original,48x48")
    images = [picture(40 + 8 * n, 40, (8, 8, 8), (24, 8 * n % 32, 8)) for n in range(6)]
    expected = [detector(image).boxes.tolist() for image in images]
    wrong: list[int] = []

    def work(index: int) -> None:
        wrong.extend(index for _ in range(30) if detector(images[index]).boxes.tolist() != expected[index])

    workers = [threading.Thread(target=work, args=(index,)) for index in range(len(images))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_wrong_networks(network: Path, tmp_path: Path, fixtures: Path) -> None:
    session = OrtSession(network)
    require_outputs(CARD, session, [1], "bright.onnx")
    with pytest.raises(
        ModelError, match=r"bright\.onnx does not fit the card bright.* 2 outputs of 4, 2 channels.* 1: "
    ):
        require_outputs(CARD, session, [4, 2], "bright.onnx")
    with pytest.raises(ModelError, match="weights of another model"):
        Detector(CARD, session, lambda outputs, *_: Faces(require_rows(outputs[0], 7, 4), np.zeros(7)))(picture(8, 8))
    with pytest.raises(ModelError, match="no face detector"):
        Detector(CARD, OrtSession(write_network_of_one_channel(tmp_path / "grey.onnx")), decode)


def write_network_of_one_channel(path: Path) -> Path:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, "h", "w"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1, "h", "w"])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "grey", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    path.write_bytes(model.SerializeToString())
    return path


def test_outputs_in_any_order() -> None:
    class Declared:
        """Just what a session declares."""

        def __init__(self, *widths: int | None) -> None:
            from zoo.runtimes import TensorInfo

            self.inputs, self.outputs = (), tuple(TensorInfo(str(n), (None, None, w)) for n, w in enumerate(widths))

    for fitting in ((4, 2, 10), (2, 10, 4), (None, None, None)):
        require_outputs(CARD, Declared(*fitting), (4, 2, 10), "x", ordered=False)  # type: ignore[arg-type]
    for other in ((4, 2, 2), (4, 2), (1, 4, 10), (None, 2)):
        with pytest.raises(ModelError):
            require_outputs(CARD, Declared(*other), (4, 2, 10), "x", ordered=False)  # type: ignore[arg-type]
