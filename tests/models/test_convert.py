"""Converting a model: the copy that carries its card, what it refuses, and what stays after it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

import zoo
from zoo import receipts
from zoo.errors import DONE, FAILED, InputError, ModelError, UsageError
from zoo.inference.artifacts import identify, is_a_model
from zoo.models.convert import convert
from zoo.models.lineage import lineage
from zoo.models.plan import make_plan
from zoo.models.verify import verify


@pytest.fixture
def source(fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ONNX file that no card knows by its hash."""
    monkeypatch.setenv("ZOO_WEIGHTS_PATH", str(fixtures))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tuned.onnx"
    path.write_bytes((fixtures / "yunet" / "yunet_s_dynamic.onnx").read_bytes() + b"\x3a\x00")
    return path


def ported(source: Path, target: Path, **values: object) -> Path:
    photo = {"photo": str(source.parent / "photo.jpg")} if (source.parent / "photo.jpg").exists() else {"photo": "none"}
    convert(make_plan(source, target, {"card": "yunet_s", **photo, **values}))
    return target


def test_a_file_says_what_it_is_after_the_card_was_put_in(source: Path, tmp_path: Path) -> None:
    assert is_a_model(source)
    with pytest.raises(UsageError, match=r"Nothing tells what model .*tuned.onnx is: say with card=MODEL"):
        identify(source)
    target = ported(source, tmp_path / "out" / "own.onnx")
    found = identify(target)
    assert (found.card.id, found.format, found.how) == ("yunet_s", "onnx", "described by the card inside it")
    assert zoo.load(target).card.id == "yunet_s"
    assert sorted(path.name for path in target.parent.iterdir()) == ["own.onnx", "own.onnx.zoo.json"]


def test_what_both_find_is_compared(source: Path, fixtures: Path, tmp_path: Path) -> None:
    shutil.copy(fixtures / "images" / "insightface_t1.jpg", tmp_path / "photo.jpg")
    target = ported(source, tmp_path / "own.onnx")
    document = receipts.read(receipts.find(target))
    (photo,) = document["parity"]["photos"]
    assert (photo["faces"], photo["others"], photo["holds"]) == (6, 6, True)
    outputs = document["parity"]["hops"][0]["outputs"]
    assert [one["output"] for one in outputs[:2]] == ["cls_8", "cls_16"]
    assert len(outputs) == 12


def test_a_target_that_exists_is_kept(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "own.onnx"
    target.write_text("precious")
    with pytest.raises(UsageError, match="exists; choose another name, or replace it with --overwrite"):
        ported(source, target)
    assert target.read_text() == "precious"
    ported(source, target, overwrite=True)
    assert identify(target).card.id == "yunet_s"


def test_options_that_nobody_knows(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no option 'tolerence'.*Did you mean tolerance"):
        make_plan(source, tmp_path / "own.onnx", {"card": "yunet_s", "tolerence": "1"})
    with pytest.raises(UsageError, match="takes sizes in multiples of 32"):
        make_plan(source, tmp_path / "own.onnx", {"card": "yunet_s", "size": "100x100"})
    with pytest.raises(UsageError, match="dynamic is auto, none, or some of"):
        make_plan(source, tmp_path / "own.onnx", {"card": "yunet_s", "dynamic": "none,batch"})
    with pytest.raises(UsageError, match="Say with --to"):
        make_plan(source, tmp_path / "own.xyz", {"card": "yunet_s"})
    with pytest.raises(UsageError, match="coco is a format of data sets"):
        make_plan(source, tmp_path / "own.onnx", {"card": "yunet_s"}, target_format="coco")


def test_a_brought_file_says_itself_how_its_input_is_laid_out(source: Path, tmp_path: Path) -> None:
    model = onnx.load(source)
    (given,) = model.graph.input
    turn = onnx.helper.make_node("Transpose", ["pixels"], [given.name], perm=[0, 3, 1, 2])
    model.graph.node.insert(0, turn)
    given.CopyFrom(onnx.helper.make_tensor_value_info("pixels", onnx.TensorProto.FLOAT, ["n", "h", "w", 3]))
    turned = tmp_path / "turned.onnx"
    onnx.save(model, turned)
    assert identify(source, card="yunet_s").card.preprocess.layout == "nchw"
    assert identify(turned, card="yunet_s").card.preprocess.layout == "nhwc"
    own = ported(turned, tmp_path / "own.onnx")
    photo = np.random.default_rng(0).integers(0, 256, (96, 64, 3), np.uint8)
    first, second = (zoo.load(path, card="yunet_s", score_threshold=0.01)(photo) for path in (source, own))
    assert len(first) == len(second) > 0
    np.testing.assert_allclose(second.boxes, first.boxes, atol=1e-3)


def test_cards_that_contradict(source: Path, fixtures: Path, tmp_path: Path) -> None:
    known = fixtures / "yunet" / "yunet_s_dynamic.onnx"
    with pytest.raises(ModelError, match="is a file of yunet_s, not of yunet_n"):
        identify(known, card="yunet_n")
    target = ported(source, tmp_path / "own.onnx")
    with pytest.raises(ModelError, match="says itself that it is yunet_s, not yunet_n"):
        identify(target, card="yunet_n")


def test_a_damaged_card_is_refused(source: Path, tmp_path: Path) -> None:
    target = ported(source, tmp_path / "own.onnx")
    target.write_bytes(target.read_bytes().replace(b'"method"', b'"mathod"'))
    with pytest.raises(ModelError, match=r"The card inside own.onnx is damaged: .*mathod"):
        identify(target)


def test_verify_finds_a_changed_byte_anywhere(source: Path, tmp_path: Path) -> None:
    target = ported(source, tmp_path / "own.onnx")
    receipt = receipts.find(target)
    assert verify(target).exit_code == DONE
    assert {check.status for check in verify(target).checks} == {"ok"}
    for path in (target, source, receipt):
        whole = path.read_bytes()
        for place in (len(whole) // 3, len(whole) // 2):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            try:
                assert verify(target).exit_code == FAILED, (path, place)
            except InputError:  # the receipt is no JSON any more
                assert path == receipt
        path.write_bytes(whole)
    assert verify(receipt).exit_code == DONE


def test_verify_says_what_it_cannot_check(source: Path, tmp_path: Path) -> None:
    target = ported(source, tmp_path / "own.onnx")
    source.unlink()
    found = verify(target)
    assert found.exit_code == DONE
    assert [check.name for check in found.checks if check.status == "not checked"] == ["source tuned.onnx", "parity"]
    target.unlink()
    assert verify(target).exit_code == FAILED


def test_lineage_goes_back_to_the_first(source: Path, tmp_path: Path) -> None:
    first = ported(source, tmp_path / "first.onnx")
    second = tmp_path / "second.onnx"
    convert(make_plan(first, second, {"photo": "none"}))
    assert [one.document["source"]["path"] for one in lineage(second)] == [str(first), str(source)]
    with pytest.raises(UsageError, match="There is no receipt of"):
        lineage(source)


def test_the_same_conversion_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    one, other = ported(source, tmp_path / "a" / "own.onnx"), ported(source, tmp_path / "b" / "own.onnx")
    assert one.read_bytes() == other.read_bytes()
    told = [json.loads(receipts.find(path).read_bytes()) for path in (one, other)]
    for document in told:
        del document["run"], document["seal"]
    assert told[0] == told[1]
