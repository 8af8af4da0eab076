"""What is written as TFRecord, read by TensorFlow itself, and the other way round.

``ZOO_ORACLES`` names the folder of the oracles' environments; TensorFlow's is ``tensorflow`` in it, made with
``python -m venv tensorflow && tensorflow/bin/pip install tensorflow==2.21.0``.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo_tfrecord import files, records, schema
from zoo_tfrecord.landmark56 import Landmark56Reader, Landmark56Writer
from zoo_tfrecord.options import Landmark56Options, WriteOptions
from zoo_tfrecord.reader import ExampleReader
from zoo_tfrecord.writer import ExampleWriter

from tests.converters.driving import write
from tests.converters.samples import assert_same, random_sample
from zoo.datasets.formats import ANNOTATIONS, KINDS
from zoo.datasets.sample import Sample

READ = """
import glob, json, os, sys
import tensorflow as tf
path, compression = sys.argv[1:]
paths = sorted(glob.glob(os.path.join(path, "*"))) if os.path.isdir(path) else [path]
found = []
for record in tf.data.TFRecordDataset(paths, compression.upper() if compression != "none" else ""):
    example = tf.train.Example.FromString(record.numpy())
    same = example.SerializeToString(deterministic=True) == record.numpy()
    feature = example.features.feature
    label = list(feature["image/class/label"].int64_list.value)
    boxes = list(feature["faces/boxes"].float_list.value)
    image = feature["image/encoded"].bytes_list.value[0].hex()
    found.append([same, feature["image/filename"].bytes_list.value[0].decode(), image, label, boxes])
print(json.dumps(found))
"""

READ_LANDMARKS = """
import json, sys
import tensorflow as tf
path, strings = sys.argv[1], int(sys.argv[2])
shape = [strings] if strings > 1 else []
schema = {"image": tf.io.FixedLenFeature(shape, tf.string), "points": tf.io.FixedLenFeature([136], tf.float32)}
found = []
for record in tf.data.TFRecordDataset(path):
    parsed = tf.io.parse_single_example(record, schema)
    image = tf.reshape(tf.io.decode_raw(parsed["image"], tf.uint8), [56, 56, 3])
    found.append([image.numpy().tobytes().hex(), parsed["points"].numpy().tolist()])
print(json.dumps(found))
"""

WRITE = """
import json, sys
import tensorflow as tf
path, compression = sys.argv[1:]
options = tf.io.TFRecordOptions(compression_type=compression.upper() if compression != "none" else "")
with tf.io.TFRecordWriter(path, options) as writer:
    for payload in json.load(sys.stdin):
        writer.write(tf.train.Example.FromString(bytes.fromhex(payload)).SerializeToString(deterministic=True))
"""


@pytest.fixture(scope="module")
def python() -> str:
    folder = os.environ.get("ZOO_ORACLES", "")
    path = Path(folder) / "tensorflow" / "bin" / "python"
    if not folder or not path.exists():
        pytest.skip("TensorFlow is not there; ZOO_ORACLES must name a folder with its environment, tensorflow")
    return str(path)


def ask(python: str, program: str, *arguments: Any, stdin: str = "") -> Any:
    """What the program prints when TensorFlow's Python runs it."""
    command = [python, "-c", program, *map(str, arguments)]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, cwd="/", env=quiet)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout else None


def mixed(count: int) -> list[Sample]:
    rng = np.random.default_rng(0)
    return [random_sample(KINDS[number % len(KINDS)], rng, number) for number in range(count)]


@pytest.mark.parametrize("shard", [0, 3])
@pytest.mark.parametrize("compression", ["none", "gzip", "zlib"])
def test_tensorflow_reads_what_we_write(python: str, tmp_path: Path, compression: Any, shard: int) -> None:
    samples = mixed(11)
    options = WriteOptions(compression=compression, shard=shard, fractions=True)
    written = write(lambda work: ExampleWriter(work, options), tmp_path, samples, unit=4)
    found = ask(python, READ, written, compression)
    for (same, name, image, label, boxes), sample in zip(found, samples, strict=True):
        assert same, "protobuf's deterministic bytes"
        assert sample.image is not None and (name, bytes.fromhex(image)) == (sample.key, sample.image.data)
        assert label == ([] if sample.identity is None else [sample.identity])
        wanted = sample.faces.boxes if sample.faces else None
        assert boxes == ([] if wanted is None else wanted.ravel().tolist())


@pytest.mark.parametrize(("strings", "count"), [("many", 9408), ("one", 1)])
def test_tensorflow_reads_our_landmarks_as_the_original_does(
    python: str, tmp_path: Path, strings: Any, count: int
) -> None:
    rng = np.random.default_rng(0)
    samples = [random_sample("landmarks", rng, number) for number in range(3)]
    written = write(lambda work: Landmark56Writer(work, Landmark56Options(strings=strings)), tmp_path, samples)
    found = ask(python, READ_LANDMARKS, written, count)
    for (image, points), sample in zip(found, Landmark56Reader(written), strict=True):
        assert isinstance(sample, Sample) and sample.image is not None
        assert bytes.fromhex(image) == sample.image.data
        assert points == sample.extra["points"].tolist()


@pytest.mark.parametrize("compression", ["none", "gzip", "zlib"])
def test_what_tensorflow_writes_is_read_and_has_the_same_bytes(python: str, tmp_path: Path, compression: str) -> None:
    samples = mixed(8)
    encoded = [schema.write_sample(sample) for sample in samples]
    path = tmp_path / "theirs.tfrecord"
    ask(python, WRITE, path, compression, stdin=json.dumps([payload.hex() for payload in encoded]))
    for found, wanted in zip(list(ExampleReader(path)), samples, strict=True):
        assert_same(found, wanted, frozenset(ANNOTATIONS))
    assert files.compression(path) == compression
    with files.window(path) as window:
        assert [payload for _, payload in records.payloads(window, path.name)] == encoded
    if compression == "none":
        assert path.read_bytes() == b"".join(map(records.frame, encoded))
