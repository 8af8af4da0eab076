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

ITERATE = """
import json, sys
import mxnet as mx
images = mx.io.ImageRecordIter(
    path_imgrec=sys.argv[1] + ".rec", path_imgidx=sys.argv[1] + ".idx", data_shape=(3, 16, 16), batch_size=1
)
print(json.dumps([[float(batch.label[0].asscalar()), float(batch.data[0].mean().asscalar())] for batch in images]))
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
    assert [bytes.fromhex(payload) for payload in ask(python, READ_RAW, path)] == wanted
    assert [payload for _, payload in payloads(path)] == wanted


def test_mxnets_iterator_decodes_what_we_write(python: str, tmp_path: Path) -> None:
    samples = people(6)
    for number, sample in enumerate(samples):
        grey = np.full((16, 16, 3), 20 * number + 10, np.uint8)
        sample.image, sample.extra = EncodedImage(images.encode(grey, ".png"), "png"), {}
    out = write(WRITERS["im2rec"], tmp_path, samples)
    found = ask(python, ITERATE, out / "train")
    assert sorted(found) == [[float(str(sample.identity)), 20.0 * i + 10] for i, sample in enumerate(samples)]
