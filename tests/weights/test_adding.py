from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest

from tests.weights.weight_server import weight_file
from zoo.errors import UsageError, WeightsError
from zoo.specs import Licence, Licences, ModelCard, Preprocess, WeightFile

LICENCES = Licences(*[Licence("MIT", "yes")] * 3)
PUBLISHED = weight_file("net.onnx", b"published")
OWN = WeightFile("landmarks.ckpt", "ckpt", note="Google Drive, named by its authors")


def card(id: str, *weights: WeightFile) -> ModelCard:
    return ModelCard(id, "method", "summary", "network", Preprocess(), LICENCES, weights=weights)


CARDS = {each.id: each for each in (
    card("known", PUBLISHED),
    card("twin", dataclasses.replace(PUBLISHED, name="twin.onnx")),
    card("own", OWN),
    card("mixed", PUBLISHED, OWN),
    card("several", OWN, dataclasses.replace(OWN, name="other.ckpt")),
    card("bare"),
)}  # fmt: skip


@pytest.fixture
def given(tmp_path):
    def give(content: bytes, name: str = "download.ckpt"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return give


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_known_file_is_recognised_whatever_its_name(store, given):
    added = store().add(given(b"published", "renamed.bin"), CARDS)
    assert (added.models, added.file, added.recorded) == (("known", "mixed", "twin"), "net.onnx", False)
    assert added.path.read_bytes() == b"published"
    assert store(offline=True).path(PUBLISHED) == added.path


def test_adding_a_known_file_mends_a_damaged_copy(store, given):
    path = store().add(given(b"published"), CARDS).path
    path.write_bytes(b"damaged")
    assert store().add(given(b"published"), CARDS).path.read_bytes() == b"published"


def test_an_unknown_file_needs_a_model(store, given):
    with pytest.raises(WeightsError) as caught:
        store().add(given(b"mine"), CARDS)
    message = str(caught.value)
    assert digest(b"mine") in message
    assert "`--as MODEL` (possible for mixed, own, several)" in message
    assert not store().cache.folder.exists()


def test_a_file_that_nobody_publishes_is_recorded_and_used_from_then_on(store, given):
    with pytest.raises(WeightsError, match=r"Nobody publishes .*Google Drive.*`zoo weights add FILE --as own`"):
        store().path(OWN, "own")
    assert store().find(OWN, "own") is None
    added = store().add(given(b"mine"), CARDS, as_model="own")
    assert added.recorded
    assert f"{digest(b'mine')} was recorded" in added.message
    assert store().path(OWN, "own") == store().find(OWN, "own") == added.path
    assert store().find(OWN, "several") is None
    record = json.loads((store().cache.folder / "recorded" / "own" / "landmarks.ckpt.json").read_text())
    assert (record["model"], record["sha256"], record["size"]) == ("own", digest(b"mine"), 4)
    added.path.write_bytes(b"else")
    with pytest.raises(WeightsError, match=r"is damaged"):
        store().path(OWN, "own")


def test_a_recorded_file_is_recognised_afterwards(store, given):
    store().add(given(b"mine"), CARDS, as_model="own")
    again = store().add(given(b"mine", "again.pt"), CARDS)
    assert (again.models, again.recorded) == (("own",), True)


def test_another_file_for_the_same_model_must_be_asked_for(store, given):
    store().add(given(b"mine"), CARDS, as_model="own")
    with pytest.raises(WeightsError, match=f"{digest(b'mine')}.*{digest(b'new')}.*--replace"):
        store().add(given(b"new"), CARDS, as_model="own")
    assert store().path(OWN, "own").read_bytes() == b"mine"
    store().add(given(b"new"), CARDS, as_model="own", replace=True)
    assert store().path(OWN, "own").read_bytes() == b"new"


@pytest.mark.parametrize("model", ["known", "mixed"])
def test_a_file_whose_published_hash_differs_is_refused_with_both(store, given, model):
    with pytest.raises(WeightsError, match=f"{digest(b'mine')}, the published one is {PUBLISHED.sha256}"):
        store().add(given(b"mine", "net.onnx"), CARDS, as_model=model)
    assert not store().cache.folder.exists()


def test_the_suffix_says_which_file_is_meant(store, given):
    assert store().add(given(b"mine", "a.CKPT"), CARDS, as_model="mixed").file == "landmarks.ckpt"


def test_of_several_files_one_must_be_named(store, given):
    with pytest.raises(WeightsError, match=r"landmarks.ckpt, other.ckpt; say which with `--file NAME`"):
        store().add(given(b"mine"), CARDS, as_model="several")
    assert store().add(given(b"mine"), CARDS, as_model="several", as_file="other.ckpt").file == "other.ckpt"


def test_unknown_names_are_usage_errors(store, given):
    with pytest.raises(UsageError, match=r"Did you mean known"):
        store().add(given(b"mine"), CARDS, as_model="knwon")
    with pytest.raises(UsageError, match=r"Did you mean landmarks.ckpt"):
        store().add(given(b"mine"), CARDS, as_model="own", as_file="landmark.ckpt")
    with pytest.raises(WeightsError, match=r"its card names no file"):
        store().add(given(b"mine"), CARDS, as_model="bare")


def test_what_cannot_be_read_is_one_sentence(store, tmp_path):
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(WeightsError, match=r"cannot be read"):
            store().add(path, CARDS)


def test_prune_keeps_what_the_user_has_brought(store, given):
    path = store().add(given(b"mine"), CARDS, as_model="own").path
    assert store().prune([]).removed == ()
    path.unlink()
    assert [problem.path for problem in store().verify().problems] == ["own/landmarks.ckpt"]


def test_a_spoilt_record_is_one_sentence(store, given):
    store().add(given(b"mine"), CARDS, as_model="own")
    (store().cache.folder / "recorded" / "own" / "landmarks.ckpt.json").write_text("{")
    with pytest.raises(WeightsError, match=r"cannot be read .*remove it and add the file again"):
        store().path(OWN, "own")
