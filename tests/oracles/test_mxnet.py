"""What is written as RecordIO, read by MXNet itself, which lives in an environment of its own.

``ZOO_ORACLES`` names the folder of the oracles' environments; MXNet's is ``mxnet`` in it, made with
``python3.11 -m venv mxnet && mxnet/bin/pip install mxnet==1.9.1 numpy==1.23.5``.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo_recordio.im2rec import Im2recWriter
from zoo_recordio.insightface import InsightfaceWriter
from zoo_recordio.options import InsightfaceOptions
from zoo_recordio.reader import RecordReader
from zoo_recordio.records import MARK, pack, payloads

from tests.converters.driving import MakeWriter, write
from tests.converters.samples import random_sample
from zoo import images
from zoo.datasets.sample import EncodedImage, Sample

READ_INDEXED = """
import hashlib, json, sys
import mxnet as mx
found = []
records = mx.recordio.MXIndexedRecordIO(sys.argv[1] + ".idx", sys.argv[1] + ".rec", "r")
for key in records.keys:
    header, image = mx.recordio.unpack(records.read_idx(key))
    label = [float(x) for x in header.label] if header.flag else float(header.label)
    digest = hashlib.sha256(image).hexdigest()
    found.append([key, header.flag, label, header.id, header.id2, digest])
print(json.dumps(found))
"""

READ_SEQUENTIAL = """
import hashlib, json, sys
import mxnet as mx
records, found = mx.recordio.MXRecordIO(sys.argv[1] + ".rec", "r"), []
while (payload := records.read()) is not None:
    header, image = mx.recordio.unpack(payload)
    found.append([header.id, hashlib.sha256(image).hexdigest()])
print(json.dumps(found))
"""

READ_AS_INSIGHTFACE = """
import json, sys
import mxnet as mx
records = mx.recordio.MXIndexedRecordIO(sys.argv[1] + ".idx", sys.argv[1] + ".rec", "r")
first, _ = mx.recordio.unpack(records.read_idx(0))
numbers = range(1, int(first.label[0])) if first.flag > 0 else list(records.keys)
found = []
for number in numbers:
    header, image = mx.recordio.unpack(records.read_idx(number))
    label = header.label if isinstance(header.label, float) else header.label[0]
    found.append([int(label), mx.image.imdecode(image).asnumpy().tobytes().hex()])
print(json.dumps(found))
"""

READ_RAW = """
import json, sys
import mxnet as mx
records, found = mx.recordio.MXRecordIO(sys.argv[1], "r"), []
while (payload := records.read()) is not None:
    found.append(payload.hex())
print(json.dumps(found))
"""

WRITE = """
import json, sys
import mxnet as mx
records = mx.recordio.MXIndexedRecordIO(sys.argv[1] + ".idx", sys.argv[1] + ".rec", "w")
for key, label, id, image in json.load(sys.stdin):
    header = mx.recordio.IRHeader(0, label, id, 0)
    records.write_idx(key, mx.recordio.pack(header, bytes.fromhex(image)))
records.close()
"""

WRITE_RAW = """
import json, sys
import mxnet as mx
records = mx.recordio.MXRecordIO(sys.argv[1], "w")
for payload in json.load(sys.stdin):
    records.write(bytes.fromhex(payload))
records.close()
"""

ITERATE = """
import json, sys
import mxnet as mx
images = mx.io.ImageRecordIter(
    path_imgrec=sys.argv[1] + ".rec", path_imgidx=sys.argv[1] + ".idx", data_shape=(3, 16, 16), batch_size=1,
    label_width=int(sys.argv[2]),
)
print(json.dumps([[batch.label[0].asnumpy().ravel().tolist(), batch.data[0].asnumpy().tolist()] for batch in images]))
"""

ITERATE_IN_PYTHON = """
import json, sys
import mxnet as mx
images = mx.image.ImageIter(
    1, (3, 16, 16), int(sys.argv[2]), path_imgrec=sys.argv[1] + ".rec", path_imgidx=sys.argv[1] + ".idx"
)
print(json.dumps([[batch.label[0].asnumpy().ravel().tolist(), batch.data[0].asnumpy().tolist()] for batch in images]))
"""


@pytest.fixture(scope="module")
def python() -> str:
    folder = os.environ.get("ZOO_ORACLES", "")
    path = Path(folder) / "mxnet" / "bin" / "python"
    if not folder or not path.exists():
        pytest.skip("MXNet is not there; ZOO_ORACLES must name a folder with its environment, mxnet")
    return str(path)


def ask(python: str, program: str, *arguments: Any, stdin: str = "") -> Any:
    """What the program prints when MXNet's Python runs it."""
    command = [python, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout else None


def people(count: int) -> list[Sample]:
    """Samples grouped by identity, some with images that look like records."""
    rng = np.random.default_rng(0)
    samples = [random_sample("identities", rng, number) for number in range(count)]
    for number, sample in enumerate(samples):
        sample.identity = number // 5
        if number % 4 == 1 and sample.image:
            sample.image = EncodedImage(b"\xff\xd8\xff\xe0" + MARK * (number % 3) + sample.image.data, "jpeg")
        if number % 6 == 2:
            sample.extra = {"label": [float(number // 5), 1.0, -0.5]}
    return samples


WRITERS: dict[str, MakeWriter] = {
    "im2rec": lambda work: Im2recWriter(work),
    "recbuilder": lambda work: InsightfaceWriter(work),
    "insightface": lambda work: InsightfaceWriter(work, InsightfaceOptions(layout="insightface")),
    "package": lambda work: InsightfaceWriter(work, InsightfaceOptions(layout="package")),
    "sequential": lambda work: InsightfaceWriter(work, InsightfaceOptions(layout="sequential")),
}


@pytest.mark.parametrize("layout", WRITERS)
def test_mxnet_reads_what_we_write(python: str, tmp_path: Path, layout: str) -> None:
    samples = people(23)
    out = write(WRITERS[layout], tmp_path, samples, 7)
    found = {key: rest for key, *rest in ask(python, READ_INDEXED, out / "train")}
    base = 1 if layout in ("recbuilder", "insightface") else 0
    for number, sample in enumerate(samples):
        assert sample.image
        label = sample.extra.get("label", sample.identity)
        flag = len(label) if isinstance(label, list) else 0
        digest = hashlib.sha256(sample.image.data).hexdigest()
        assert found.pop(base + number) == [flag, label, base + number, 0, digest]
    nothing = hashlib.sha256(b"").hexdigest()
    if base:
        assert found.pop(0) == [2, [24.0, 29.0], 0, int(layout == "recbuilder"), nothing]
        ranges = {24 + i: [2, [1.0 + 5 * i, min(6.0 + 5 * i, 24.0)], 24 + i, 0, nothing] for i in range(5)}
        assert found == ranges
    else:
        assert found == {}


def test_mxnet_writes_what_we_write(python: str, tmp_path: Path) -> None:
    samples = [sample for sample in people(23) if "label" not in sample.extra]
    out = write(WRITERS["im2rec"], tmp_path, samples, 7)
    images = [sample.image.data.hex() for sample in samples if sample.image]
    rows = [[i, sample.identity, i, data] for i, (sample, data) in enumerate(zip(samples, images, strict=True))]
    ask(python, WRITE, tmp_path / "theirs", stdin=json.dumps(rows))
    for suffix in (".rec", ".idx"):
        assert (out / f"train{suffix}").read_bytes() == (tmp_path / f"theirs{suffix}").read_bytes()
    theirs = list(RecordReader(tmp_path / "theirs.rec"))
    assert [sample.image.data.hex() for sample in theirs if isinstance(sample, Sample) and sample.image] == images


def test_mxnet_reads_magic_numbers_as_we_do(python: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    pieces = [MARK, b"", b"a", b"abcd", MARK + MARK, b"\x0a\x23"]
    wanted = [b"".join(pieces[i] for i in rng.integers(len(pieces), size=rng.integers(9))) for _ in range(300)]
    path = tmp_path / "magic.rec"
    path.write_bytes(b"".join(pack(payload) for payload in wanted))
    ask(python, WRITE_RAW, tmp_path / "theirs.rec", stdin=json.dumps([payload.hex() for payload in wanted]))
    assert (tmp_path / "theirs.rec").read_bytes() == path.read_bytes()
    assert [bytes.fromhex(payload) for payload in ask(python, READ_RAW, path)] == wanted
    assert [payload for _, payload in payloads(path)] == wanted


def pictures(count: int, suffix: str) -> list[Sample]:
    """Samples with images of 16 x 16 pixels, whose red, green and blue are not alike."""
    samples = people(count)
    for number, sample in enumerate(samples):
        pixels = np.full((16, 16, 3), (20 * number + 10, 200 - 20 * number, 77), np.uint8)
        pixels[: number + 1] //= 2
        sample.image, sample.extra = EncodedImage(images.encode(pixels, suffix), suffix.strip(".")), {}
    return samples


def rgb(sample: Sample) -> Any:
    """The pixels of the sample as MXNet gives them: (H, W, 3), red first."""
    assert sample.image
    return sample.image.decode()[..., ::-1]


@pytest.mark.parametrize("program", [ITERATE, ITERATE_IN_PYTHON], ids=["ImageRecordIter", "ImageIter"])
@pytest.mark.parametrize(("suffix", "near"), [(".png", 0), (".jpg", 2)])
@pytest.mark.parametrize("width", [1, 3])
def test_mxnets_iterators_decode_what_we_write(
    python: str, tmp_path: Path, program: str, suffix: str, near: int, width: int
) -> None:
    samples = pictures(6, suffix)
    for number, sample in enumerate(samples):
        sample.extra = {"label": [float(number // 5), -1.0, number / 4]} if width > 1 else {}
    out = write(WRITERS["im2rec"], tmp_path, samples)
    found = ask(python, program, out / "train", width)
    assert len(found) == len(samples)
    for label, pixels in found:  # the iterator in C++ gives them in an order of its own
        wanted = [s for s in samples if np.abs(np.array(pixels[0]).transpose(1, 2, 0) - rgb(s)).max() <= near]
        assert len(wanted) == 1
        assert label == wanted[0].extra.get("label", [wanted[0].identity])
        samples = [sample for sample in samples if sample is not wanted[0]]
    assert samples == []


@pytest.mark.parametrize("layout", WRITERS)
def test_insightfaces_way_of_reading_finds_all_images(python: str, tmp_path: Path, layout: str) -> None:
    """Key 0 tells where the images end; where it is an image itself, all keys are images. See the data set of
    arcface_torch."""
    samples = pictures(7, ".png")
    out = write(WRITERS[layout], tmp_path, samples, 3)
    found = ask(python, READ_AS_INSIGHTFACE, out / "train")
    assert found == [[sample.identity, rgb(sample).tobytes().hex()] for sample in samples]


@pytest.mark.parametrize("layout", WRITERS)
def test_mxnet_reads_what_we_write_from_end_to_end(python: str, tmp_path: Path, layout: str) -> None:
    samples = people(23)
    found = ask(python, READ_SEQUENTIAL, write(WRITERS[layout], tmp_path, samples, 7) / "train")
    nothing = hashlib.sha256(b"").hexdigest()
    digests = [hashlib.sha256(sample.image.data).hexdigest() for sample in samples if sample.image]
    assert [digest for _, digest in found if digest != nothing] == digests
    assert len(found) - len(digests) == (6 if layout in ("recbuilder", "insightface") else 0)
