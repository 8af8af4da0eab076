"""TensorFlow's checkpoints read without TensorFlow, and what is refused of them."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo_tensorflow import cards, checkpoint, sniff, table
from zoo_tensorflow.wire import varint

from tests.converters import slim
from zoo.errors import ModelError

VALUES: dict[str, Any] = {
    "model/matrix": np.arange(12, dtype="f4").reshape(3, 4) / 7,
    "double": np.array([1e300, -2.5]),
    "half": np.array([[0.5, -3]], "f2"),
    "counts": np.arange(-3, 4, dtype="i4"),
    "global_step": np.int64(-7),
    "bytes": np.arange(250, 256, dtype="u1"),
    "signed": np.arange(-2, 2, dtype="i1"),
    "flags": np.array([True, False]),
    "nothing": np.zeros((0, 3), "f4"),
    "large": np.random.default_rng(0).normal(size=(400, 90)).astype("f4"),
}


@pytest.fixture
def folder(fixtures: Path, tmp_path: Path) -> Path:
    """A copy of the original's checkpoint."""
    copy = tmp_path / "training"
    copy.mkdir()
    for path in (fixtures / "written_by_originals" / slim.FOLDERS[0]).iterdir():
        shutil.copyfile(path, copy / path.name)
    return copy


def test_a_checkpoint_may_be_called_by_any_of_its_names(folder: Path) -> None:
    prefix = folder / "model.ckpt-100"
    for path in (folder, folder / "checkpoint", prefix, *(folder.glob("model.ckpt-100.*"))):
        assert checkpoint.locate(path) == prefix
        assert sniff.checkpoint(path)[0] > 0.9, path
    assert [path.name for path in checkpoint.files(folder)] == [
        "model.ckpt-100.index",
        "model.ckpt-100.data-00000-of-00001",
    ]
    assert len(checkpoint.tensors(folder)) == 28


def test_the_latest_of_a_folder_is_meant_and_never_one_outside_it(folder: Path, tmp_path: Path) -> None:
    (folder / "checkpoint").write_text('model_checkpoint_path: "/home/somebody/run/model.ckpt-100"\n')
    assert checkpoint.locate(folder) == folder / "model.ckpt-100"
    (folder / "checkpoint").write_text('model_checkpoint_path: "../../elsewhere"\n')
    with pytest.raises(ModelError, match="which checkpoint is meant"):
        checkpoint.locate(folder)
    (folder / "checkpoint").unlink()
    assert checkpoint.locate(folder) == folder / "model.ckpt-100"
    with pytest.raises(ModelError, match="no TensorFlow checkpoint"):
        checkpoint.tensors(tmp_path / "nothing")


def test_any_other_text_of_that_name_is_no_checkpoint(folder: Path) -> None:
    (folder / "checkpoint").write_text("where we were last night")
    assert sniff.checkpoint(folder / "checkpoint")[0] == 0


@pytest.mark.xdist_group("tensorflow")
@pytest.mark.parametrize("version", ["V1", "V2"])
def test_numbers_are_those_that_tensorflow_wrote(tmp_path: Path, version: str) -> None:
    tf = pytest.importorskip("tensorflow", reason="it writes the checkpoints")
    versions = tf.compat.v1.train.SaverDef
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        made = [tf.compat.v1.Variable(value, name=name, use_resource=False) for name, value in VALUES.items()]
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver(made, write_version=getattr(versions, version), sharded=version == "V2")
        prefix = Path(saver.save(session, str(tmp_path / "model.ckpt"), write_meta_graph=False))
    assert sniff.checkpoint(prefix)[0] > 0.9
    found = checkpoint.arrays(prefix)
    assert checkpoint.tensors(tmp_path) == {name: np.shape(value) for name, value in VALUES.items()}
    for name, value in VALUES.items():
        assert found[name].dtype == np.asarray(value).dtype
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    if version == "V1":  # which has no checksums of its numbers, but of the blocks that they are in
        spoil(prefix, 5000)
        with pytest.raises(ModelError, match="checksum"):
            checkpoint.arrays(prefix)


def test_a_card_is_kept_beside(folder: Path) -> None:
    assert cards.read_beside(folder) == ""
    cards.write_beside(folder, '{"é": 1}')
    assert cards.read_beside(folder / "model.ckpt-100.index") == '{"é": 1}'


def spoil(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def test_every_changed_byte_of_the_numbers_is_noticed(folder: Path) -> None:
    data = folder / "model.ckpt-100.data-00000-of-00001"
    for at in (0, 1000, data.stat().st_size - 1):
        spoil(data, at)
        with pytest.raises(ModelError, match="checksum"):
            checkpoint.arrays(folder)
        spoil(data, at)
    checkpoint.arrays(folder)


@pytest.mark.parametrize("name", ["model.ckpt-100.index", "model.ckpt-100.data-00000-of-00001"])
def test_cut_files_are_refused(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    for size in (0, 1, 47, len(whole) // 2, len(whole) - 1):
        (folder / name).write_bytes(whole[:size])
        with pytest.raises(ModelError, match=r"damaged or no TensorFlow checkpoint|lies past the end"):
            checkpoint.arrays(folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match=r"which checkpoint|not beside it"):
        checkpoint.arrays(folder)


def test_no_damage_to_an_index_does_more_than_a_refusal(folder: Path) -> None:
    """Bytes changed at random, with the checksum put right, so that what comes after it is tried too."""
    path = folder / "model.ckpt-100.index"
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    size = first_block(whole)
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        for at in rng.integers(size, size=3):
            data[at] = int(rng.integers(256))
        data[size + 1 : size + 5] = struct.pack("<I", table.masked_crc(data[: size + 1]))
        path.write_bytes(data)
        try:
            checkpoint.tensors(folder)
            checkpoint.arrays(folder)
        except ModelError as error:
            refused += "checksum of a block" not in str(error)
    assert refused > 200


def first_block(data: bytes) -> int:
    """How long the block with the tensors is, which begins the file."""
    footer = memoryview(data)[-table.FOOTER :]
    _, at = varint(footer, 0)
    _, at = varint(footer, at)
    ((_, handle),) = table._block(memoryview(data), footer[at:])
    assert handle[0] == 0
    return varint(handle, 1)[0]


def test_what_is_something_else_is_no_checkpoint(tmp_path: Path, fixtures: Path) -> None:
    for path in (fixtures / "yunet" / "yunet_n_320_320.onnx", fixtures / "images", tmp_path / "absent"):
        assert sniff.checkpoint(path)[0] == 0
    with pytest.raises(ModelError, match="damaged or no TensorFlow checkpoint"):
        checkpoint.tensors(fixtures / "yunet" / "yunet_n_320_320.onnx")
