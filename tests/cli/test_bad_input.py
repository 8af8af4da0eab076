"""Bad input to the command line, with real weights: one sentence, the right exit code, nothing half-written."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.cli.conftest import Zoo


@pytest.fixture
def desk(fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with the weights of the fixtures in reach and no network."""
    monkeypatch.setenv("ZOO_WEIGHTS_PATH", str(fixtures))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def photograph(fixtures: Path) -> bytes:
    return (fixtures / "images" / "insightface_t1.jpg").read_bytes()


def png_bomb() -> bytes:
    """A PNG whose header announces 30,000 x 30,000 pixels."""
    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    framed = (struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def in_one_sentence(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """The command failed with `code` and said so in one line that has all `words`."""
    assert done.returncode == code, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("Error: ")
    for word in words:
        assert word in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["photo.jpg"], 2, ["photo.jpg"]),
        (["empty"], 1, ["empty", "no images"]),
        (["'*.jpg'"], 1, ["*.jpg"]),
        (["https://example.org/photo.jpg"], 2, ["https://example.org/photo.jpg", "ownload"]),
        ([], 2, ["an image, a folder"]),
        (["sample:t2"], 2, ["Known: t1."]),
        (["good.jpg", "--out", "good.jpg/out"], 1, ["good.jpg/out"]),
        (["good.jpg", "--model", "absent.onnx"], 2, ["absent.onnx"]),
        (["good.jpg", "--weights", "absent.onnx"], 1, ["absent.onnx"]),
        (["good.jpg", "--weights", "corrupt.onnx"], 1, ["corrupt.onnx"]),
        (["good.jpg", "--weights", "text.onnx"], 1, ["text.onnx"]),
        (["good.jpg", "--weights", "scrfd.onnx"], 1, ["scrfd.onnx", "scrfd_500m_bnkps", "yunet_n"]),
        (["good.jpg", "--weights", "like_scrfd.onnx"], 1, ["like_scrfd.onnx", "does not fit the card yunet_n"]),
        (["good.jpg", "--config", "unknown.yaml"], 2, ["unknown.yaml", "treshold"]),
        (["good.jpg", "--config", "broken.yaml"], 2, ["broken.yaml"]),
        (["good.jpg", "--device", "tpu"], 2, ["tpu"]),
        (["good.jpg", "size=banana"], 2, ["banana"]),
        (["good.jpg", "size=0x0"], 2, ["0x0"]),
        (["good.jpg", "thresholds=foto"], 2, ["Did you mean photo?"]),
        (["good.jpg", "save=png"], 2, ["png"]),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(
    zoo: Zoo, desk: Path, fixtures: Path, words: list[str], code: int, said: list[str]
) -> None:
    (desk / "empty").mkdir()
    (desk / "good.jpg").write_bytes(photograph(fixtures))
    onnx = (fixtures / "yunet" / "yunet_n_dynamic.onnx").read_bytes()
    (desk / "corrupt.onnx").write_bytes(onnx[: len(onnx) // 2])
    (desk / "text.onnx").write_text("not a network at all")
    scrfd = (fixtures / "scrfd" / "scrfd_500m_bnkps_dynamic.onnx").read_bytes()
    (desk / "scrfd.onnx").write_bytes(scrfd)
    (desk / "like_scrfd.onnx").write_bytes(scrfd + b"\x3a\x00")
    (desk / "unknown.yaml").write_text("treshold: 0.5\n")
    (desk / "broken.yaml").write_text("size: [\n")
    before = sorted(desk.rglob("*"))
    in_one_sentence(zoo("run", "yunet", "infer", *words), code, *said)
    assert sorted(desk.rglob("*")) == before


BAD_FILES = {
    "truncated.jpg": lambda photo: photo[: len(photo) // 2],
    "bomb.png": lambda photo: png_bomb(),
    "zero.png": lambda photo: b"",
    "text.jpg": lambda photo: b"this is no photograph\n",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_alone_fails(zoo: Zoo, desk: Path, fixtures: Path, name: str) -> None:
    (desk / name).write_bytes(BAD_FILES[name](photograph(fixtures)))
    done = zoo("run", "yunet", "infer", name, "--out", "out")
    assert done.returncode == 1, done.stderr
    assert f"skipped: {name}" in done.stderr
    assert "1 input = 0 done + 1 skipped" in done.stderr
    assert "Traceback" not in done.stderr


def unusual_images(folder: Path, photo: bytes) -> None:
    """A photograph of one face-sized scene in every unusual pixel format that must work."""
    image = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    cv2.imwrite(str(folder / "grey.png"), grey)
    cv2.imwrite(str(folder / "rgba.png"), np.dstack([image, np.full_like(grey, 200)]))
    cv2.imwrite(str(folder / "sixteen.png"), image.astype(np.uint16) * 257)
    cv2.imwrite(str(folder / "one.png"), np.zeros((1, 1, 3), np.uint8))
    animation = cv2.Animation()
    animation.frames = [image, image[::-1].copy()]
    animation.durations = np.array([100, 100])
    cv2.imwriteanimation(str(folder / "animated.gif"), animation)


def test_a_folder_of_good_and_bad_is_done_and_counted(zoo: Zoo, desk: Path, fixtures: Path) -> None:
    folder = desk / "mixed"
    folder.mkdir()
    photo = photograph(fixtures)
    unusual_images(folder, photo)
    for name, make in BAD_FILES.items():
        (folder / name).write_bytes(make(photo))
    done = zoo("run", "yunet", "infer", "mixed", "--out", "out", "save=images,jsonl,csv,wider,coco")
    assert done.returncode == 3, done.stderr
    assert "9 inputs = 5 done + 4 skipped" in done.stderr
    records = {r["image"]: r for r in map(json.loads, (desk / "out" / "faces.jsonl").read_text().splitlines())}
    found = {name: len(record["faces"]) for name, record in records.items() if "faces" in record}
    assert found == {"animated.gif": 6, "grey.png": 6, "one.png": 0, "rgba.png": 6, "sixteen.png": 6}
    assert {name for name, record in records.items() if "error" in record} == set(BAD_FILES)
    receipt = json.loads((desk / "out" / "infer.zoo.json").read_text())
    assert receipt["counts"] == {"inputs": 9, "done": 5, "skipped": 4}
    assert receipt["weights"]["sha256"].startswith("104ee26c")
    assert not [path for path in (desk / "out").rglob("*") if ".part" in path.name]


def test_a_killed_run_leaves_nothing_that_looks_finished(desk: Path, fixtures: Path) -> None:
    folder = desk / "many"
    folder.mkdir()
    (folder / "0.jpg").write_bytes(photograph(fixtures))
    for number in range(1, 400):
        os.link(folder / "0.jpg", folder / f"{number}.jpg")
    words = [sys.executable, "-m", "zoo", "run", "yunet", "infer", "many", "--out", "out", "save=images,jsonl,csv"]
    process = subprocess.Popen(words, cwd=desk, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list((desk / "out" / "images").glob("*.jpg"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = {path.name for path in (desk / "out").iterdir() if not path.name.startswith(".")}
    assert finished == {"images"}
    for path in (desk / "out" / "images").glob("[0-9]*.jpg"):
        assert cv2.imread(str(path)) is not None


def test_only_what_is_needed_is_loaded(desk: Path, fixtures: Path) -> None:
    (desk / "good.jpg").write_bytes(photograph(fixtures))
    code = (
        "import sys; from zoo.cli.app import run; run(sys.argv[1:]);"
        "watched = ('zoo_yunet', 'zoo_scrfd', 'zoo_retinaface', 'zoo_onnx', 'yaml', 'pluggy');"
        "print([name for name in watched if name in sys.modules])"
    )
    words = [sys.executable, "-c", code, "run", "scrfd", "infer", "good.jpg", "--json"]
    for _ in range(2):  # the first run collects the catalogue from all plugins
        done = subprocess.run(words, cwd=desk, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['zoo_scrfd', 'zoo_onnx', 'pluggy']"
