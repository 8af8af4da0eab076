"""The C++ of images, crops and suppression gives what the zoo's Python gives."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from zoo_cpp.contract import constants

from tests.converters.zoo_cpp import building
from tests.converters.zoo_cpp.building import address, stride
from zoo import alignment, geometry, images
from zoo.errors import InputError, ModelError
from zoo.inference.crops import bicubic, cut
from zoo.inference.preprocess import Preprocessor, parse_sizes
from zoo.specs import Crop, ModelCard, Preprocess
from zoo.types import Face

HARNESS = Path(__file__).with_name("harness.cpp").read_text("utf-8")
PARTS = ("image", "fit", "bicubic", "crop", "nms")
PLAIN = Preprocess()
SCRFD = Preprocess("640x640", 32, "rgb", (127.5, 127.5, 127.5), 0.0078125)
CONTRACTS = {
    "yunet": Preprocess("original", 32),
    "retinaface": Preprocess("original", 1, "bgr", (104, 117, 123)),
    "scrfd": SCRFD,
    "longest": Preprocess("100", 8, "rgb", (1, 2, 3), 0.1, (0.5, 0.3, 0.7), 128),
    "wide": Preprocess("320x100", 32, "bgr", (127.5, 127.5, 127.5), 2 / 255, pad=114),
}
Builder = Callable[..., ctypes.CDLL]


def card(contract: Preprocess) -> ModelCard:
    return ModelCard("any", method="any", summary="", preprocess=contract)


def source(contract: Preprocess, harness: str = HARNESS) -> str:
    return building.assembled(constants(card(contract)), building.parts(*PARTS), harness)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Compiles once for each contract."""
    made: dict[Any, ctypes.CDLL] = {}

    def build(contract: Preprocess = PLAIN) -> ctypes.CDLL:
        if contract not in made:
            folder = tmp_path_factory.mktemp("image_side")
            made[contract] = building.loaded(building.compiled(folder, source(contract), building.compilers()[0]))
        return made[contract]

    return build


@pytest.fixture(scope="module")
def photographs(request: pytest.FixtureRequest) -> list[NDArray[np.uint8]]:
    folder: Path = request.getfixturevalue("fixtures")
    paths = sorted((folder / "images").rglob("*.jpg"))[:4]
    assert paths
    return [images.read(path) for path in paths]


def noise(width: int, height: int, seed: int = 0, spare: int = 0) -> NDArray[np.uint8]:
    """An image whose rows lie `spare` bytes apart."""
    rows = np.random.default_rng(seed).integers(0, 256, (height, 3 * width + spare), np.uint8)
    return np.lib.stride_tricks.as_strided(rows, (height, width, 3), (rows.strides[0], 3, 1))


def resized(
    library: ctypes.CDLL, image: NDArray[np.uint8], region: tuple[int, ...], size: tuple[int, int], name: str
) -> NDArray[np.float32]:
    out = np.full((size[1], size[0], 3), -1, np.float32)
    rows, columns = image.shape[:2]
    given = (ctypes.c_int * 4)(*region)
    getattr(library, name)(address(image), columns, rows, stride(image), given, *size, address(out))
    return out


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_it_compiles_without_a_warning(tmp_path: Path, compiler: str) -> None:
    if compiler not in building.compilers():
        pytest.skip(f"there is no {compiler}")
    for name, contract in (("whole", SCRFD), ("face", Preprocess("112x112", crop=Crop("aligned")))):
        building.compiled(tmp_path / name, source(contract), compiler)


def test_resizing_is_opencvs_to_the_bit(built: Builder) -> None:
    library, random = built(), np.random.default_rng(1)
    cases = [(1280, 886, 640, 443), (640, 480, 320, 240), (640, 480, 641, 481), (1, 1, 5, 7), (9, 300, 70, 1)]
    cases += [tuple(int(side) for side in random.integers(1, 120, 4)) for _ in range(300)]
    for columns, rows, width, height in cases:
        image = noise(columns, rows, spare=columns % 5)
        found = resized(library, image, (0, 0, columns, rows), (width, height), "resize_to")
        wanted = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=cv2.INTER_LINEAR)
        assert np.array_equal(found, wanted), (columns, rows, width, height)


@pytest.mark.parametrize("width", range(1, 71))
def test_images_of_every_width_are_resized_and_hang_over(built: Builder, width: int) -> None:
    image = noise(width, 1 + width % 13, width, spare=width % 4)
    for region in ((0, 0, width, image.shape[0]), (-3, -2, width + 9, 20), (width, 0, 5, 5), (1, 1, width, 3)):
        x, y, columns, rows = region
        window = np.zeros((rows, columns, 3), np.uint8)
        for row in range(max(y, 0), min(y + rows, image.shape[0])):
            left, right = max(x, 0), max(min(x + columns, width), max(x, 0))
            window[row - y, left - x : right - x] = image[row, left:right]
        for size in ((13, 11), (64, 40)):
            linear = cv2.resize(window, size, interpolation=cv2.INTER_LINEAR)
            assert np.array_equal(resized(built(), image, region, size, "resize_to"), linear)
            cubic = bicubic(window, *size)
            found = resized(
                built(Preprocess("64x40", crop=Crop("window", 1, "bicubic"))), image, region, size, "bicubic_to"
            )
            assert np.array_equal(found, cubic)


@pytest.mark.parametrize("name", CONTRACTS)
def test_an_image_fits_as_in_python(built: Builder, photographs: list[NDArray[np.uint8]], name: str) -> None:
    contract = CONTRACTS[name]
    library, python, (size,) = built(contract), Preprocessor(contract), parse_sizes(contract.size)
    for image in [*photographs, *(noise(width, 71 - width, width, spare=width % 3) for width in range(1, 71))]:
        wanted = python.fit(image, size)
        rows, columns = image.shape[:2]
        sizes = (ctypes.c_int * 4)()
        library.fitted_size(columns, rows, sizes)
        assert (sizes[2], sizes[3]) == (wanted.width, wanted.height)
        assert (sizes[0] / columns, sizes[1] / rows) == (wanted.scale_x, wanted.scale_y)
        out = np.full((wanted.height, wanted.width * 3 + 5), np.nan, np.float32)
        library.fit_into(address(image), columns, rows, stride(image), address(out), ctypes.c_ssize_t(out.shape[1]))
        found = out[:, :-5].reshape(wanted.height, wanted.width, 3)
        assert np.array_equal(found, wanted.tensor[0].transpose(1, 2, 0))
        assert np.isnan(out[:, -5:]).all(), "nothing is written behind a row"


CROPS = {
    "square": Preprocess("256x256", crop=Crop("square", 1.5)),
    "window": Preprocess("256x256", crop=Crop("window", 1)),
    "bicubic": Preprocess("256x256", crop=Crop("window", 1, "bicubic")),
    "clipped": Preprocess("56x56", crop=Crop("clipped", 1.2)),
    "clipped_bicubic": Preprocess("56x40", crop=Crop("clipped", 1.2, "bicubic")),
    "box": Preprocess("160x160", crop=Crop("box", 1.4)),
    "aligned": Preprocess("112x112", crop=Crop("aligned")),
    "aligned_128": Preprocess("128x128", crop=Crop("aligned")),
}
EXACT = ("window", "bicubic", "clipped", "clipped_bicubic", "box")


def faces(image: NDArray[np.uint8], count: int = 40) -> list[Face]:
    """Boxes of all sizes, in the image and over its edges, with keypoints that a turned face could have."""
    random, (rows, columns) = np.random.default_rng(3), image.shape[:2]
    made = []
    for _ in range(count):
        centre = random.uniform(-0.1, 1.1, 2) * (columns, rows)
        half = np.exp(random.uniform(1, np.log(max(rows, columns) / 2 + 3))) * random.uniform(0.7, 1.3, 2)
        angle = random.uniform(-1, 1)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        keypoints = (alignment.template() - 56) / 56 @ turn.T * half + centre + random.normal(0, 1, (5, 2))
        box = np.concatenate([centre - half, centre + half]).astype(np.float32)
        made.append(Face(box, 0.9, keypoints.astype(np.float32)))
    return made


@pytest.mark.parametrize("name", CROPS)
def test_crops_are_those_of_python(built: Builder, photographs: list[NDArray[np.uint8]], name: str) -> None:
    contract = CROPS[name]
    (size,), library, random = parse_sizes(contract.size), built(contract), np.random.default_rng(5)
    given = random.uniform(-20, 300, (70, 2)).astype(np.float32)
    differing = total = 0
    for image in [*photographs[:2], noise(33, 50, spare=2)]:
        for face in faces(image):
            status, pixels, matrix, points, areas = called(library, image, face, size.width, size.height, given)
            try:
                wanted = cut(image, face, contract.crop, size.width, size.height)
            except InputError:
                assert status != 0
                continue
            assert status == 0
            apart = np.abs(pixels - wanted.pixels)
            assert apart.max() <= (0 if name in EXACT else 1)
            differing, total = differing + np.count_nonzero(apart), total + apart.size
            assert np.allclose(matrix, wanted.matrix, rtol=1e-9, atol=1e-7)
            assert np.allclose(points, wanted.to_image(given), rtol=1e-5, atol=1e-3)
            assert np.allclose(areas, wanted.area_to_image(given[:, 0]), rtol=1e-5)
    assert differing <= total / 1000


def called(
    library: ctypes.CDLL, image: NDArray[np.uint8], face: Face, width: int, height: int, given: NDArray[np.float32]
) -> tuple[int, NDArray[np.float32], NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]]:
    """What cut_to gives: status, pixels, matrix, and the `given` points and areas carried back."""
    out, matrix = np.zeros((height, width, 3), np.float32), np.zeros((2, 3))
    points, areas = given.copy(), np.ascontiguousarray(given[:, 0])
    keypoints = None if face.keypoints is None else np.ascontiguousarray(face.keypoints, np.float32)
    status = library.cut_to(
        address(image),
        image.shape[1],
        image.shape[0],
        stride(image),
        address(np.ascontiguousarray(face.box, np.float32)),
        address(keypoints),
        width,
        height,
        address(out),
        address(matrix),
        address(points),
        len(points),
        address(areas),
    )
    return status, out, matrix, points, areas


def test_faces_that_cannot_be_cut_out_are_refused(built: Builder) -> None:
    image, nan = noise(60, 40), float("nan")
    points = np.zeros((1, 2), np.float32)
    far = [(1e9, 1e9, 2e9, 2e9), (-9e30, 0, 9e30, 9), (nan, 0, 5, 5), (5, 5, 5, 9), (9, 9, 1, 1)]
    for name, contract in CROPS.items():
        for box in [*far, (float("-inf"), 0, 5, 5)]:
            same = np.full((5, 2), 3, np.float32)
            status = called(built(contract), image, Face(np.array(box, np.float32), 1, same), 112, 112, points)[0]
            assert status != 0, name
    aligned = built(CROPS["aligned"])
    for keypoints in (None, np.array([[nan, 1]] * 5, np.float32)):
        assert called(aligned, image, Face(np.array([1, 1, 9, 9], np.float32), 1, keypoints), 112, 112, points)[0] != 0


@pytest.mark.parametrize("plus_one", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 50, 3000])
def test_suppression_is_that_of_python(built: Builder, count: int, plus_one: bool) -> None:
    random = np.random.default_rng(count)
    corners = random.uniform(0, 400, (count, 2))
    boxes = np.concatenate([corners, corners + random.uniform(-2, 60, (count, 2))], axis=1).astype(np.float32)
    scores = np.round(random.uniform(0, 1, count), 2).astype(np.float32)  # many are equal
    for threshold in (0.0, 0.3, 0.45, 1.0):
        for keep in (1, 7, count + 1):
            found = np.zeros(count + 1, np.int32)
            stay = built().suppressed(
                *(address(boxes), address(scores), count, ctypes.c_float(threshold), plus_one, keep, address(found))
            )
            wanted = geometry.nms(boxes, scores, threshold, plus_one, keep=keep)
            assert found[:stay].tolist() == wanted.tolist()


def test_thousands_that_all_overlap_are_quick(built: Builder) -> None:
    """Half a million pictures of one face: compared with what stays, not with one another."""
    count = 500_000
    boxes = np.tile(np.array([[10, 10, 90, 90]], np.float32), (count, 1))
    scores, found = np.linspace(0, 1, count, dtype=np.float32), np.zeros(count, np.int32)
    stay = built().suppressed(address(boxes), address(scores), count, ctypes.c_float(0.4), 0, count, address(found))
    assert (stay, found[0]) == (1, count - 1)


def test_contracts_that_no_code_can_be_made_of_are_refused() -> None:
    for contract in (
        Preprocess(std=(0, 1, 1)),
        Preprocess(mean=(float("nan"), 0, 0)),
        Preprocess(scale=float("inf")),
        Preprocess(multiple=0),
        Preprocess(colour='"; system("'),
        Preprocess("original", crop=Crop("square")),
        Preprocess("64x64", crop=Crop("oval")),
    ):
        with pytest.raises(ModelError):
            constants(card(contract))


SANITIZED = Path(__file__).with_name("every_width.cpp").read_text("utf-8")


@pytest.mark.parametrize("name", ["bicubic", "aligned", "box", "longest"])
def test_no_byte_beyond_is_touched(tmp_path: Path, name: str) -> None:
    contract = {**CROPS, **CONTRACTS}[name]
    side = Preprocess(**{**vars(contract), "size": "112x112"}) if name in CROPS else contract
    flags = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")
    path = building.compiled(tmp_path, source(side, HARNESS + SANITIZED), building.compilers()[0], flags, shared=False)
    done = subprocess.run([str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 900
