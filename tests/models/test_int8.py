"""Networks made int8: what the files hold, what they lose, and what is done about it."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from onnx import numpy_helper

import zoo
from zoo import receipts
from zoo.cli.models import explain
from zoo.errors import DONE, InputError, ParityError, UsageError
from zoo.images import encode, read
from zoo.inference.artifacts import identify
from zoo.models import limits
from zoo.models.convert import Ported, convert
from zoo.models.int8.pictures import LONGEST, Picture, collect
from zoo.models.int8.threshold import refit
from zoo.models.plan import make_plan
from zoo.models.verify import verify
from zoo.types import Faces

pytest.importorskip("onnxruntime", reason="it quantises ONNX files")


@pytest.fixture(autouse=True)
def weights(fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Detectors that find the faces for networks that work on them."""
    monkeypatch.setenv("ZOO_WEIGHTS_PATH", str(fixtures))


def quantised(source: Path, target: Path, calibrate: Path, **values: Any) -> Ported:
    said = {"precision": "int8", "calibrate": str(calibrate), "photo": "none", **values}
    return convert(make_plan(source, target, said))


def found(target: Path) -> dict[str, Any]:
    """What the receipt says that the edge has measured."""
    document = receipts.read(receipts.find(target))
    measured: dict[str, Any] = document["parity"]["hops"][-1]["found"][0]
    return measured


@pytest.fixture(scope="module")
def yunet(fixtures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """yunet_s in int8, calibrated with four photographs whose faces are annotated."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_WEIGHTS_PATH", str(fixtures))
        target = tmp_path_factory.mktemp("int8") / "yunet_s_int8.onnx"
        quantised(fixtures / "yunet" / "yunet_s_dynamic.onnx", target, fixtures / "dlib" / "training.xml", aim=1)
    return target


def test_an_onnx_file_holds_bytes_with_a_scale_a_channel(yunet: Path) -> None:
    model = onnx.load(yunet)
    arrays = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    kinds = Counter(node.op_type for node in model.graph.node)
    makers = {node.output[0]: node for node in model.graph.node}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 53
    for node in convolutions:
        given = [makers[name] for name in node.input]
        assert {one.op_type for one in given} == {"DequantizeLinear"}
        weights, scales, zero = (arrays[name] for name in given[1].input)
        assert weights.dtype == zero.dtype == np.int8 and not zero.any()
        assert scales.shape == (len(weights),), "a scale a channel"
        assert {attribute.name: attribute.i for attribute in given[1].attribute}["axis"] == 0
        assert arrays[given[2].input[0]].dtype == np.int32
        activation = makers[given[0].input[0]]
        assert activation.op_type == "QuantizeLinear" and arrays[activation.input[2]].dtype == np.uint8
    assert "Relu" not in kinds, "the range of the tensor before it takes it over"
    assert {one.domain for one in model.opset_import} == {""} and model.opset_import[0].version >= 13
    floats = (*model.graph.input, *model.graph.output)
    assert {value.type.tensor_type.elem_type for value in floats} == {onnx.TensorProto.FLOAT}


def test_it_is_smaller_and_finds_the_same_faces(yunet: Path, fixtures: Path) -> None:
    source = fixtures / "yunet" / "yunet_s_dynamic.onnx"
    assert yunet.stat().st_size < 0.8 * source.stat().st_size
    assert identify(yunet).card.precision == "int8"
    photo = read(fixtures / "images" / "insightface_t1.jpg")  # not one of those that it was calibrated with
    wanted, got = zoo.load(source)(photo), zoo.load(yunet)(photo)
    assert len(got) == len(wanted) == 6
    sizes = np.sqrt((wanted.boxes[:, 2] - wanted.boxes[:, 0]) * (wanted.boxes[:, 3] - wanted.boxes[:, 1]))
    order = [int(np.abs(got.boxes - box).sum(axis=1).argmin()) for box in wanted.boxes]
    assert (np.abs(got.boxes[order] - wanted.boxes).max(axis=1) / sizes).mean() < 0.05


def test_the_receipt_tells_the_loss_and_verify_measures_again(yunet: Path) -> None:
    measured, document = found(yunet), receipts.read(receipts.find(yunet))
    assert measured["calibration"]["used"] == 4 and measured["calibration"]["inputs"] == 4 * 5  # and four scales
    assert measured["choices"][0]["kept"] == [] and measured["layers"] == 61
    assert measured["loss"] == {key: measured["choices"][-1][key] for key in measured["loss"]}
    assert 0 < measured["loss"]["fraction"] < limits.LIMITS["int8"].fraction
    assert document["card"]["precision"] == document["route"][-1]["precision"] == "int8"
    assert document["limits"] == limits.LIMITS["int8"].to_dict()
    assert document["card"]["thresholds"]["photo"]["score"] == measured["threshold"]["after"]
    assert measured["threshold"]["annotated"] is True
    assert verify(yunet).exit_code == DONE
    assert {check.status for check in verify(yunet).checks} == {"ok"}


def test_layers_that_cost_most_stay_float(fixtures: Path, tmp_path: Path) -> None:
    target = tmp_path / "peppa.onnx"
    quantised(fixtures / "landmarks" / "peppa_slim160_68.onnx", target, fixtures / "identities" / "amy")
    measured = found(target)
    everything, best = measured["choices"][0], measured["choices"][-1]
    assert everything["kept"] == [] and everything["share"] > 1 > 0.5 > best["share"]
    assert measured["kept in float"] == best["kept"] == list(measured["errors"])[: len(best["kept"])]
    assert list(measured["errors"].values()) == sorted(measured["errors"].values(), reverse=True)
    model = onnx.load(target)
    arrays = {one.name: numpy_helper.to_array(one).dtype for one in model.graph.initializer}
    for node in model.graph.node:
        if node.name in best["kept"]:
            assert arrays[node.input[1]] == np.float32, "kept in float"


def test_what_loses_too_much_is_not_kept(fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strict = limits.Limits(raw=1.0, score=0.2, pixels=0.0, fraction=1e-6, faces=0.1, cosine=0.98)
    monkeypatch.setitem(limits.LIMITS, "int8", strict)
    source, target = fixtures / "landmarks" / "peppa_slim160_68.onnx", tmp_path / "peppa.onnx"
    person = fixtures / "identities" / "amy"
    with pytest.raises(ParityError, match="in int8 loses more than that may; nothing was written") as caught:
        quantised(source, target, person, calibration_images=1)
    assert "layers in float" in caught.value.table
    assert not target.exists()
    assert quantised(source, target, person, calibration_images=1, accept_drift=True).drifted
    assert receipts.read(receipts.find(target))["drift"] is True


def test_an_encoder_is_calibrated_with_aligned_faces(fixtures: Path, tmp_path: Path) -> None:
    target = tmp_path / "faces.onnx"
    quantised(fixtures / "recognition" / "foamliu_MobileFaceNet.onnx", target, fixtures / "identities" / "amy")
    measured = found(target)
    assert measured["calibration"]["inputs"] == measured["loss"]["faces"] == 5
    assert measured["loss"]["cosine"] > 0.98 and "threshold" not in measured


def test_a_tflite_file_holds_bytes_with_a_scale_a_channel(fixtures: Path, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_quantizer", reason="it quantises TFLite files")
    from ai_edge_litert.interpreter import Interpreter

    source = fixtures / "written_by_originals" / "slim_ckpt_bn_dm05" / "landmark.float.tflite"
    target = tmp_path / "landmarks.tflite"
    quantised(source, target, fixtures / "identities" / "amy", card="slim56")
    interpreter = Interpreter(str(target))
    interpreter.allocate_tensors()
    (given,), outputs = interpreter.get_input_details(), interpreter.get_output_details()
    assert given["dtype"] == outputs[0]["dtype"] == np.float32
    weights = [one for one in interpreter.get_tensor_details() if one["dtype"] == np.int8 and len(one["shape"]) == 4]
    channels = [one for one in weights if len(one["quantization_parameters"]["scales"]) > 1]
    assert len(channels) >= 4
    assert all(not one["quantization_parameters"]["zero_points"].any() for one in channels), "symmetric"
    assert target.stat().st_size < 0.5 * source.stat().st_size
    assert identify(target).card.precision == "int8" and verify(target).exit_code == DONE


def test_what_cannot_be_asked(yunet: Path, fixtures: Path, tmp_path: Path) -> None:
    source, target = fixtures / "yunet" / "yunet_s_dynamic.onnx", tmp_path / "own.onnx"
    with pytest.raises(UsageError, match="is in int8 already; make it from the original"):
        make_plan(yunet, target, {"precision": "int8"})
    with pytest.raises(UsageError, match=r"precision takes float32 or .* not .int4."):
        make_plan(source, target, {"precision": "int4"})
    with pytest.raises(UsageError, match=r"There is no way from onnx to onnx in float16 .* in float16 there can be: "):
        make_plan(source, target, {"precision": "float16"})
    with pytest.raises(UsageError, match="There is no way from onnx in int8 to tflite"):
        make_plan(yunet, tmp_path / "own.tflite", {})
    with pytest.raises(UsageError, match="There is no file or folder"):
        quantised(source, target, tmp_path / "nothing")
    nobody = fixtures / "images" / "inspireface_no_face.png"
    with pytest.raises(InputError, match=r"No face is found in .*no_face\.png"):
        quantised(fixtures / "landmarks" / "peppa_slim160_68.onnx", target, nobody)
    assert not target.exists()


def test_photographs_are_spread_over_a_set_and_what_is_broken_is_counted(fixtures: Path, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.png").write_bytes(encode(np.zeros((40, 60, 3), np.uint8), ".png"))
    (tmp_path / "b.png").write_bytes(b"no image")
    some = collect(str(tmp_path), 10)
    assert [one.name for one in some.pictures] == ["a.png", "c.png"] and some.skipped == 1 and some.few
    labelled = collect(f"dlib-xml:{fixtures / 'dlib' / 'training.xml'}", 2)
    boxes = [one.boxes for one in labelled.pictures]
    assert len(boxes) == 2 and all(one is not None and len(one) for one in boxes)
    for one in tmp_path.iterdir():
        one.unlink()
    with pytest.raises(InputError, match="holds no images"):
        collect(str(tmp_path), 10)
    (tmp_path / "d.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="holds no photograph that can be read"):
        collect(str(tmp_path), 10)


def test_large_photographs_are_made_smaller_with_their_boxes(fixtures: Path, tmp_path: Path) -> None:
    photo = read(fixtures / "images" / "insightface_t1.jpg")
    (tmp_path / "large.png").write_bytes(encode(np.tile(photo, (2, 2, 1)), ".png"))
    document = (fixtures / "dlib" / "training.xml").read_text("utf-8")
    head, tail = document[: document.index("<image ")], "</images></dataset>"
    image = "<image file='large.png'><box top='1000' left='500' width='100' height='80'/></image>"
    (tmp_path / "large.xml").write_text(head + image + tail, "utf-8")
    (one,) = collect(str(tmp_path / "large.xml"), 10).pictures
    assert max(one.image.shape[:2]) == LONGEST == photo.shape[1]
    assert one.boxes is not None
    np.testing.assert_allclose(one.boxes, [[250, 500, 300, 540]], atol=1)


def test_without_photographs_the_samples_are_used(fixtures: Path, tmp_path: Path) -> None:
    target = tmp_path / "own.onnx"
    said = {"precision": "int8", "photo": "none", "aim": 1}
    done = convert(make_plan(fixtures / "yunet" / "yunet_s_dynamic.onnx", target, said))
    assert any("calibrated with 1 of the sample photographs" in note for note in done.notes)
    assert json.loads(json.dumps(done.to_dict()))["precision"] == "int8"


def scored(*scores: float) -> Faces:
    """Faces side by side."""
    corners = np.arange(len(scores), dtype=np.float32)[:, None] * 100
    boxes: NDArray[np.float32] = np.concatenate([corners, corners * 0, corners + 50, corners * 0 + 50], axis=1)
    return Faces(boxes.reshape(-1, 4), np.array(scores, np.float32))


def pictured(faces: Faces | None = None) -> list[Picture]:
    return [Picture("one", np.zeros((8, 8, 3), np.uint8), None if faces is None else faces.boxes)]


def test_the_threshold_gives_as_many_faces_where_none_are_annotated() -> None:
    wanted = [scored(0.9, 0.8, 0.61, 0.3)]
    assert refit(wanted, [scored(0.9, 0.7, 0.65, 0.5)], pictured(), 0.6).after == 0.6, "nothing to do"
    lower = refit(wanted, [scored(0.8, 0.7, 0.5123, 0.2)], pictured(), 0.6)
    assert lower.after == pytest.approx(0.5123, abs=1e-4) and lower.counts == (3, 3)
    higher = refit(wanted, [scored(0.9, 0.8, 0.7, 0.65)], pictured(), 0.6)
    assert higher.after == pytest.approx(0.6501, abs=1e-4) and higher.counts == (3, 3)


def test_the_threshold_gives_as_many_false_positives_where_faces_are_annotated() -> None:
    annotated = pictured(scored(1, 1))  # the first two are faces, what else is found is none
    wanted = [scored(0.9, 0.8, 0.7, 0.3)]
    fitted = refit(wanted, [scored(0.5, 0.4, 0.9, 0.75)], annotated, 0.6)
    assert fitted.after == pytest.approx(0.7501, abs=1e-4) and fitted.counts == (1, 1), "two false ones above 0.6"
    assert refit(wanted, [scored(0.9, 0.1, 0.65, 0.2)], annotated, 0.6).after == 0.6
    assert refit([scored(0.9)], [scored(0.2)], pictured(scored(1)), 0.6).after == 0.6, "no false positive at all"


def test_the_same_photographs_give_the_same_bytes(yunet: Path, fixtures: Path, tmp_path: Path) -> None:
    source = tmp_path / "source.onnx"
    shutil.copy(fixtures / "yunet" / "yunet_s_dynamic.onnx", source)
    again = tmp_path / "again.onnx"
    quantised(source, again, fixtures / "dlib" / "training.xml", aim=1)
    assert again.read_bytes() == yunet.read_bytes()


def test_explain_shows_what_each_choice_lost(yunet: Path) -> None:
    done = CliRunner().invoke(explain, [str(yunet)])
    assert done.exit_code == 0, done.output
    assert "hop       onnx -> onnx in int8 calibrate=" in done.output
    assert re.search(r"int8      0 of 61 layers in float, [\d,]+ bytes: 0 of \d+ faces missing", done.output)
