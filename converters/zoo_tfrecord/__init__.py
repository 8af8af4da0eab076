"""TFRecord: TensorFlow's files of records, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import FormatSpec

ZOO_API = 1


@hookimpl
def zoo_formats() -> Iterator[FormatSpec]:
    """The formats ``tfrecord`` and ``tfrecord-landmark56``."""
    yield FormatSpec(
        name="tfrecord",
        summary="TFRecord of tf.train.Example: images with labels, faces or pairs, in one file or in shards.",
        kinds=("detection", "landmarks", "identities", "verification"),
        suffixes=(".tfrecord", ".tfrecords"),
        sniff="zoo_tfrecord.sniff:sniff",
        reader="zoo_tfrecord.reader:ExampleReader",
        writer="zoo_tfrecord.writer:ExampleWriter",
        read_options="zoo_tfrecord.options:ReadOptions",
        write_options="zoo_tfrecord.options:WriteOptions",
        holds=(
            "identity", "pairs", "boxes", "keypoints", "flags", "landmarks", "ignored", "scores", "attributes", "keys",
            "images",
        ),
    )  # fmt: skip
    yield FormatSpec(
        name="tfrecord-landmark56",
        summary="TFRecord of 56 x 56 pixel faces with 68 landmarks, as the TF-slim landmark network is trained on.",
        kinds=("landmarks",),
        sniff="zoo_tfrecord.sniff:sniff_landmark56",
        reader="zoo_tfrecord.landmark56:Landmark56Reader",
        writer="zoo_tfrecord.landmark56:Landmark56Writer",
        read_options="zoo_tfrecord.options:ReadOptions",
        write_options="zoo_tfrecord.options:Landmark56Options",
        holds=("landmarks", "images"),
    )
