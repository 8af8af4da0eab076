"""Pixels out of files: what the decoder promises for every kind of image that a folder may hold."""

from __future__ import annotations

import struct
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from zoo import images
from zoo.errors import InputError, UsageError
from zoo.types import Faces, Image

FORMATS = [".bmp", ".gif", ".jpg", ".png", ".ppm", ".tif", ".webp"]


def scene(height: int = 40, width: int = 64) -> Image:
    """A smooth picture whose corners differ: red, green, blue, white."""
    corners = np.array([[[0, 0, 255], [0, 255, 0]], [[255, 0, 0], [255, 255, 255]]], np.uint8)
    return cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)


def encoded(suffix: str, image: Image | None = None) -> bytes:
    good, data = cv2.imencode(suffix, scene() if image is None else image)
    assert good
    return data.tobytes()


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_is_recognised_measured_and_decoded(suffix: str) -> None:
    data = encoded(suffix)
    assert images.image_size(data) == (64, 40)
    decoded = images.decode(data)
    assert decoded.shape == (40, 64, 3) and decoded.dtype == np.uint8 and decoded.flags.c_contiguous
    assert np.abs(decoded.astype(int) - scene()).mean() < 12  # a GIF has 256 colours


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.97])
def test_a_truncated_file_is_never_taken_for_a_whole_one(
    suffix: str, part: float, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 64, 3), np.uint8)
    data = encoded(suffix, noise)
    with pytest.raises(InputError, match=r"^cut\.x is a truncated or damaged \w+ file\.$"):
        images.decode(data[: int(len(data) * part)], "cut.x")
    assert capfd.readouterr().err == ""


def test_a_jpeg_without_its_last_two_bytes_is_truncated_though_decoders_accept_it() -> None:
    with pytest.raises(InputError, match="truncated"):
        images.decode(encoded(".jpg")[:-2])


@pytest.mark.parametrize("tail", [b"\0" * 100, b"ftypmp42 a motion photo", encoded(".jpg"), encoded(".jpg")[:-9]])
def test_what_follows_a_whole_jpeg_does_not_matter(tail: bytes) -> None:
    np.testing.assert_array_equal(images.decode(encoded(".jpg") + tail), images.decode(encoded(".jpg")))


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_photograph() -> None:
    thumbnail = encoded(".jpg", scene(8, 8))
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    data = encoded(".jpg")
    photo = data[:2] + segment + data[2:]
    assert images.image_size(photo) == (64, 40)
    images.decode(photo)
    with pytest.raises(InputError, match="truncated"):
        images.decode(photo[:-20])


def with_orientation(data: bytes, orientation: int) -> bytes:
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda image: image),
        (2, lambda image: image[:, ::-1]),
        (3, lambda image: image[::-1, ::-1]),
        (6, lambda image: np.rot90(image, -1)),
        (8, np.rot90),
    ],
)
def test_the_exif_orientation_is_applied(orientation: int, turn) -> None:
    plain = images.decode(encoded(".jpg"))
    np.testing.assert_array_equal(images.decode(with_orientation(encoded(".jpg"), orientation)), turn(plain))


def test_grey_becomes_three_equal_channels() -> None:
    grey = cv2.cvtColor(scene(), cv2.COLOR_BGR2GRAY)
    np.testing.assert_array_equal(images.decode(encoded(".png", grey)), np.dstack([grey] * 3))


def test_alpha_is_dropped_and_the_colours_below_it_are_kept() -> None:
    transparent = np.dstack([scene(), np.zeros((40, 64), np.uint8)])
    np.testing.assert_array_equal(images.decode(encoded(".png", transparent)), scene())


def test_sixteen_bits_become_the_upper_eight() -> None:
    deep = scene().astype(np.uint16) * 256 + 255
    np.testing.assert_array_equal(images.decode(encoded(".png", deep)), scene())


def test_of_an_animation_the_first_picture_is_taken() -> None:
    animation = cv2.Animation()
    animation.frames = [scene(), 255 - scene()]
    animation.durations = np.array([100, 100])
    good, data = cv2.imencodeanimation(".gif", animation)
    assert good
    assert np.abs(images.decode(data.tobytes()).astype(int) - scene()).mean() < 12


def test_a_single_pixel_is_an_image() -> None:
    assert images.decode(encoded(".png", scene(1, 1))).shape == (1, 1, 3)


def test_print_colours_are_converted() -> None:
    pillow = pytest.importorskip("PIL.Image")
    import io

    stream = io.BytesIO()
    pillow.new("CMYK", (32, 16), (0, 255, 255, 0)).save(stream, "JPEG")
    blue, green, red = images.decode(stream.getvalue()).reshape(-1, 3).mean(axis=0)
    assert red > 200 and blue < 90 and green < 90


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "x.jpg is empty."),
        (b"Dear all,\nno photograph this week.\n", "x.jpg is not an image that the zoo can read"),
        (b"BMW is a maker of cars, and this is a text", "x.jpg is not an image that the zoo can read"),
        (b"RIFF\0\0\0\0WAVEfmt ", "x.jpg is not an image that the zoo can read"),
        (b"\x89PNG\r\n\x1a\n", "x.jpg is a truncated or damaged PNG file."),
        (b"\xff\xd8\xff", "x.jpg is a truncated or damaged JPEG file."),
        (b"P6 no numbers", "x.jpg is a truncated or damaged PNM file."),
    ],
)
def test_what_is_no_image_is_refused_in_one_sentence(
    data: bytes, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.jpg").write_bytes(data)
    with pytest.raises(InputError) as refused:
        images.read(Path("x.jpg"))
    assert str(refused.value).startswith(sentence)
    assert capfd.readouterr().err == ""


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.jpg cannot be read: No such file or directory\.$"):
        images.read(tmp_path / "gone.jpg")
    with pytest.raises(InputError, match="cannot be read"):
        images.read(tmp_path)


def test_a_damaged_checksum_inside_a_png_is_found() -> None:
    data = bytearray(encoded(".png"))
    data[len(data) // 2] ^= 1
    with pytest.raises(InputError, match="damaged PNG"):
        images.decode(bytes(data))


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))


def test_the_pixel_limit_is_enforced_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    started = time.perf_counter()
    with pytest.raises(InputError, match=r"30000 x 30000 pixels, more than the limit of 100,000,000"):
        images.decode(png_header(30000, 30000))
    assert time.perf_counter() - started < 0.05
    monkeypatch.setenv("ZOO_MAX_PIXELS", "100")
    with pytest.raises(InputError, match="limit of 100;"):
        images.decode(encoded(".jpg"))
    monkeypatch.setenv("ZOO_MAX_PIXELS", "1e6")
    images.decode(encoded(".jpg"))
    monkeypatch.setenv("ZOO_MAX_PIXELS", "many")
    with pytest.raises(UsageError, match="ZOO_MAX_PIXELS must be a number"):
        images.decode(encoded(".jpg"))


@pytest.mark.parametrize("suffix", sorted(images.WRITABLE))
def test_what_is_encoded_can_be_decoded(suffix: str) -> None:
    assert np.abs(images.decode(images.encode(scene(), suffix)).astype(int) - scene()).mean() < 4


def test_quality_makes_jpegs_larger() -> None:
    assert len(images.encode(scene(), ".jpg", 20)) < len(images.encode(scene(), ".jpg", 95))


def test_an_image_too_large_for_its_format_is_refused() -> None:
    with pytest.raises(InputError, match=r"20000 pixels cannot be written as \.webp"):
        images.encode(np.zeros((20000, 1, 3), np.uint8), ".webp")


@pytest.mark.parametrize(
    "array",
    [
        scene()[..., 0],
        scene()[..., :1],
        scene(),
        scene()[:, ::-1],
        np.dstack([scene(), scene()[..., 0]]),
        scene().astype(np.uint16) * 257,
    ],
    ids=["grey", "one channel", "colour", "a view", "alpha", "16 bit"],
)
def test_arrays_of_users_become_images(array: np.ndarray) -> None:
    image = images.as_image(array)
    assert image.shape == (40, 64, 3) and image.dtype == np.uint8 and image.flags.c_contiguous
    first = array if array.dtype == np.uint8 else (array >> 8).astype(np.uint8)
    np.testing.assert_array_equal(image[..., 0], first if first.ndim == 2 else first[..., 0])


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4, 3)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros(4, np.uint8)],
)
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"is an array of .*BGR order"):
        images.as_image(array)


def some_faces(width: int, height: int) -> Faces:
    boxes = np.array([[0.1, 0.2, 0.4, 0.7], [0.6, -0.1, 1.2, 0.4]]) * [width, height, width, height]
    points = np.linspace(boxes[:, :2], boxes[:, 2:], 7, axis=1)[:, 1:6]
    return Faces(boxes, np.array([0.9, 0.8]), points)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (150, 200), (3000, 4000)])
def test_drawing_leaves_the_image_alone_and_marks_a_copy(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 128, np.uint8)
    drawn = images.draw(image, some_faces(size[1], size[0]))
    assert (image == 128).all() and drawn.shape == image.shape
    changed = (drawn != 128).any(axis=2).mean()
    assert 0 < changed < 0.2 or size[0] <= 3


def test_the_box_is_drawn_where_it_is() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    drawn = images.draw(image, Faces(np.array([[50.5, 60.5, 150.5, 160.5]]), np.array([1.0])))
    ys, xs = np.nonzero(drawn[90:].max(axis=2) > 60)
    assert (xs.min(), xs.max()) == (50, 150) and ys.max() + 90 == 160


def test_keypoints_have_five_colours() -> None:
    image = np.zeros((400, 400, 3), np.uint8)
    points = np.array([[[120, 120], [280, 120], [200, 200], [140, 280], [260, 280]]])
    drawn = images.draw(image, Faces(np.array([[80, 80, 320, 320]]), np.array([0.9]), points))
    assert len({tuple(drawn[y, x].tolist()) for x, y in points[0]}) == 5


def test_no_faces_draw_nothing_and_wild_coordinates_do_no_harm() -> None:
    image = scene(50, 50)
    np.testing.assert_array_equal(images.draw(image, Faces.empty(5)), image)
    wild = np.array([[-1e30, np.nan, 1e30, np.inf]])
    assert images.draw(image, Faces(wild, np.array([0.5]), np.full((1, 5, 2), 1e20))).shape == image.shape


def test_the_score_stays_inside_the_image() -> None:
    image = np.zeros((300, 300, 3), np.uint8)
    corner = Faces(np.array([[200.0, -40, 340, 90]]), np.array([0.75]))
    labelled = images.draw(image, corner)
    plate = (labelled == (80, 220, 60)).all(axis=2)
    ys, xs = np.nonzero(plate[:30])
    assert xs.min() < 290 and len(set(zip(ys, xs, strict=True))) > 100
