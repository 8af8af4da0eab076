"""TFLite files: what they say of themselves, the card in them, running them, and the ways to and from ONNX."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from zoo_tflite import cards, checks, environment, from_tflite, model, sniff, to_tflite
from zoo_tflite.options import Onnx2tfOptions
from zoo_tflite.session import TFLiteSession

from tests.converters import slim
from zoo.errors import ModelError, RuntimeMissingError, UsageError
from zoo.models import onnxnames
from zoo.models.edges import Edge
from zoo.runtimes import open_session
from zoo.types import Floats


@pytest.fixture
def landmarks(fixtures: Path, tmp_path: Path) -> Path:
    """A copy of a file that the original wrote."""
    copy = tmp_path / "landmark.float.tflite"
    copy.write_bytes((fixtures / "written_by_originals" / slim.FOLDERS[0] / copy.name).read_bytes())
    return copy


def images(count: int, side: int = 56) -> Floats:
    return np.random.default_rng(3).uniform(-1, 1, (count, side, side, 3)).astype(np.float32)


def test_what_files_say_of_themselves(fixtures: Path, landmarks: Path) -> None:
    assert sniff.sniff(landmarks)[0] > 0.9
    assert sniff.sniff(fixtures / "yunet" / "yunet_n_320_320.onnx")[0] == 0
    found = model.describe(landmarks)
    assert found.inputs == (model.Tensor("input", model.FLOAT32, (1, 56, 56, 3)),)
    assert found.outputs == (model.Tensor("model/lannet/fc7/Relu", model.FLOAT32, (1, 136)),)
    faces = model.describe(fixtures / "recognition" / "MobileFaceNet.tflite")
    assert [tensor.shape for tensor in (*faces.inputs, *faces.outputs)] == [(2, 112, 112, 3), (2, 192)]


def test_a_card_changes_no_old_byte_and_can_be_taken_away(fixtures: Path, landmarks: Path, tmp_path: Path) -> None:
    faces = tmp_path / "faces.tflite"
    faces.write_bytes((fixtures / "recognition" / "MobileFaceNet.tflite").read_bytes())
    for path in (landmarks, faces):  # with metadata of its own, and without
        whole = path.read_bytes()
        kept = set(model.describe(path).metadata)
        assert cards.read_card(path) == ""
        for text in ('{"a": "é"}', "x" * 5000, ""):
            cards.write_card(path, text)
            assert cards.read_card(path) == text
            data = path.read_bytes()
            assert data.endswith(whole) and (len(data) - len(whole)) % 64 == 0
            assert bytes(cards.without_card(model.read(path))) == whole
            assert set(model.describe(path).metadata) == {*kept, "zoo.card"}


def test_googles_own_reader_agrees(landmarks: Path) -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="it reads the files as Google does")
    before = schema.ModelT.InitFromPackedBuf(landmarks.read_bytes(), 0)
    cards.write_card(landmarks, "the card")
    after = schema.ModelT.InitFromPackedBuf(landmarks.read_bytes(), 0)
    assert [entry.name for entry in after.metadata] == [*(entry.name for entry in before.metadata), b"zoo.card"]
    assert bytes(after.buffers[after.metadata[-1].buffer].data) == b"the card"
    for name in ("version", "description"):
        assert getattr(after, name) == getattr(before, name)
    for old, new in zip(before.buffers, after.buffers, strict=False):
        np.testing.assert_array_equal(old.data, new.data)
    (old,), (new,) = before.subgraphs, after.subgraphs
    assert [(tensor.name, list(tensor.shape)) for tensor in new.tensors] == [
        (tensor.name, list(tensor.shape)) for tensor in old.tensors
    ]


@pytest.mark.parametrize("name", slim.FOLDERS)
def test_it_runs_as_the_original_with_a_card_and_without(fixtures: Path, tmp_path: Path, name: str) -> None:
    pytest.importorskip("ai_edge_litert", reason="it runs TFLite files")
    folder = fixtures / "written_by_originals" / name
    given, wanted = slim.recorded(folder)
    path = tmp_path / "net.tflite"
    path.write_bytes((folder / "landmark.float.tflite").read_bytes())
    plain = slim.answer(TFLiteSession(path, threads=2), given)
    assert np.abs(plain - wanted).max() < 1e-5
    cards.write_card(path, "{}")
    np.testing.assert_array_equal(slim.answer(TFLiteSession(path), given), plain)


def test_threads_share_a_session(landmarks: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="it runs TFLite files")
    session, given = TFLiteSession(landmarks), images(24)
    wanted = [slim.answer(session, image[None]) for image in given]
    got: dict[int, Floats] = {}

    def work(start: int) -> None:
        for index in range(start, len(given), 4):
            got[index] = slim.answer(session, given[index : index + 1])

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, answer in enumerate(wanted):
        np.testing.assert_array_equal(got[index], answer)


def test_what_does_not_fit_is_said(landmarks: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="it runs TFLite files")
    session = TFLiteSession(landmarks)
    with pytest.raises(ModelError, match="cannot process an input of 2x56x56x3: it takes 1x56x56x3"):
        slim.answer(session, images(2))
    with pytest.raises(RuntimeMissingError, match="cpu only"):
        TFLiteSession(landmarks, device="cuda")
    with pytest.raises(UsageError, match="no device"):
        TFLiteSession(landmarks, device="npu")
    with pytest.raises(ModelError, match="cannot be read"):
        TFLiteSession(landmarks.with_name("absent.tflite"))


@pytest.mark.xdist_group("tensorflow")
def test_to_onnx(fixtures: Path, landmarks: Path, tmp_path: Path) -> None:
    for module in ("ai_edge_litert", "tf2onnx"):
        pytest.importorskip(module, reason="it is needed for TFLite to ONNX")
    given, wanted = slim.recorded(fixtures / "written_by_originals" / slim.FOLDERS[0])
    slim.carry(landmarks, tmp_path / "net.onnx", slim.plain_card())
    session = open_session(tmp_path / "net.onnx", "onnx", threads=1)
    assert (session.inputs[0].name, session.outputs[0].name) == ("input", "model/lannet/fc7/Relu")
    assert np.abs(slim.answer(session, given) - wanted).max() < 1e-5
    faces = fixtures / "recognition" / "MobileFaceNet.tflite"
    slim.carry(faces, tmp_path / "faces.onnx", slim.plain_card())
    answers = [
        slim.answer(session, images(2, 112))
        for session in (TFLiteSession(faces), open_session(tmp_path / "faces.onnx", "onnx", threads=1))
    ]
    assert np.abs(answers[0] - answers[1]).max() < 1e-5 * np.abs(answers[0]).max()


@pytest.mark.xdist_group("tensorflow")
@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1, 12), (1, 12), (3, 12)])
def test_a_layer_that_sees_maps_keeps_its_bias(tmp_path: Path, shape: tuple[int, ...], rectified: bool) -> None:
    tf = pytest.importorskip("tensorflow", reason="it makes the file")
    for module in ("ai_edge_litert", "tf2onnx"):
        pytest.importorskip(module, reason="it is needed for TFLite to ONNX")
    rng = np.random.default_rng(0)
    weights, bias = rng.normal(size=(12, 5)).astype(np.float32), rng.normal(size=5).astype(np.float32)
    path, given = tmp_path / "net.tflite", rng.normal(size=shape).astype(np.float32)
    last = tf.nn.relu if rectified else tf.identity

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])
    def layer(images: object) -> dict[str, object]:
        return {"rows": last(tf.matmul(tf.reshape(images, (-1, 12)), weights) + bias)}

    concrete = layer.get_concrete_function()
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete], layer).convert())
    slim.carry(path, tmp_path / "net.onnx", slim.plain_card())
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: given})
    wanted = given.reshape(-1, 12) @ weights + bias
    np.testing.assert_allclose(found, np.maximum(wanted, 0) if rectified else wanted, rtol=1e-5, atol=1e-5)


def test_an_optimiser_that_fails_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """tf2onnx does that where it works on copies, which it does where the variable is not set."""
    monkeypatch.setenv("TF2ONNX_CATCH_ERRORS", "true")
    seen = []

    def convert(source: str, opset: int) -> tuple[str, None]:
        seen.append(os.environ.get("TF2ONNX_CATCH_ERRORS"))
        if seen[-1]:
            raise KeyError("an optimiser's")
        return f"{source} {opset}", None

    assert from_tflite._converted(convert, "net.tflite", 17) == "net.tflite 17"
    assert seen == ["false", None]
    assert os.environ["TF2ONNX_CATCH_ERRORS"] == "true"


# ------------------------------------------------------------------------------------------------ ONNX to TFLite


def edge(source: Path, target: Path, **options: object) -> Edge:
    work = target.parent / "work"
    work.mkdir(exist_ok=True)
    return Edge(source, target, slim.plain_card(), work, (56, 56), options=Onnx2tfOptions(**options))  # type: ignore[arg-type]


def test_without_its_environment_the_way_says_what_to_add(
    fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private_cache: Path
) -> None:
    source = fixtures / "yunet" / "yunet_n_320_320.onnx"
    with pytest.raises(ModelError, match="add build_environment=true"):
        to_tflite.from_onnx(edge(source, tmp_path / "net.tflite"))
    with pytest.raises(ModelError, match=r"needs Python 3\.12, and no-such-python is not there"):
        to_tflite.from_onnx(edge(source, tmp_path / "net.tflite", build_environment=True, python="no-such-python"))
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho 3.9\n")
    other.chmod(0o755)
    with pytest.raises(ModelError, match=r"is Python 3\.9"):
        to_tflite.from_onnx(edge(source, tmp_path / "net.tflite", build_environment=True, python=str(other)))
    other.write_text("#!/bin/sh\necho 3.12\n")
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    with pytest.raises(ModelError, match="offline"):
        to_tflite.from_onnx(edge(source, tmp_path / "net.tflite", build_environment=True, python=str(other)))
    monkeypatch.delenv("ZOO_OFFLINE")
    other.write_text(
        '#!/bin/sh\n[ "$1" = -c ] && echo 3.12 && exit 0\nmkdir -p "$3/bin"; echo "ERROR: none" >&2; exit 1\n'
    )
    with pytest.raises(ModelError, match="cannot be built: ERROR: none"):
        to_tflite.from_onnx(edge(source, tmp_path / "net.tflite", build_environment=True, python=str(other)))
    assert list((private_cache / "environments").iterdir()) == []
    assert not (tmp_path / "net.tflite").exists()
    assert "not built" in checks.onnx2tf().detail
    place = environment.interpreter(environment.folder())
    place.parent.mkdir(parents=True)
    place.touch()
    assert str(environment.folder()) in checks.onnx2tf().detail


def test_models_whose_numbers_lie_elsewhere_are_refused(fixtures: Path, tmp_path: Path) -> None:
    built = onnx.load(fixtures / "yunet" / "yunet_n_320_320.onnx")
    onnx.external_data_helper.set_external_data(built.graph.initializer[0], "../../etc/passwd")
    built.graph.initializer[0].ClearField("raw_data")
    (tmp_path / "net.onnx").write_bytes(built.SerializeToString())
    with pytest.raises(ModelError, match="in other files"):
        to_tflite._prepared(edge(tmp_path / "net.onnx", tmp_path / "net.tflite"), tmp_path / "fixed.onnx")
    (tmp_path / "net.onnx").write_bytes(b"\x08\x08nothing")
    with pytest.raises(ModelError, match="damaged"):
        to_tflite._prepared(edge(tmp_path / "net.onnx", tmp_path / "net.tflite"), tmp_path / "fixed.onnx")


@pytest.mark.xdist_group("tensorflow")
def test_another_network_and_another_layout_are_noticed(fixtures: Path, tmp_path: Path) -> None:
    for module in ("ai_edge_litert", "tf2onnx"):
        pytest.importorskip(module, reason="it makes the files")
    files = []
    for name in slim.FOLDERS:
        files.append(tmp_path / f"{name}.tflite")
        files[-1].write_bytes((fixtures / "written_by_originals" / name / "landmark.float.tflite").read_bytes())
    slim.carry(files[0], tmp_path / "net.onnx", slim.plain_card())
    assert to_tflite._layout(tmp_path / "net.onnx", edge(tmp_path / "net.onnx", files[0])) == "nhwc"
    with pytest.raises(ModelError, match="output model/lannet/fc7/Relu is another one"):
        to_tflite._layout(tmp_path / "net.onnx", edge(tmp_path / "net.onnx", files[1]))
    with pytest.raises(ModelError, match="takes 1x56x56x3 of one that takes 1x3x112x112"):
        to_tflite._layout(fixtures / "recognition" / "foamliu_MobileFaceNet.onnx", edge(files[0], files[0]))
    slim.carry(files[0], tmp_path / "renamed.onnx", slim.plain_card())
    renamed = onnx.load(tmp_path / "renamed.onnx")
    onnxnames.rename(renamed.graph, lambda name: f"other_{name}")
    onnx.save(renamed, tmp_path / "renamed.onnx")
    with pytest.raises(ModelError, match="whose outputs are model/lannet/fc7/Relu, not other_model"):
        to_tflite._layout(tmp_path / "renamed.onnx", edge(files[0], files[0]))


def test_what_executes_models_is_checked() -> None:
    health = checks.tflite()
    assert health.name == "tflite" and health.status == "ok"
