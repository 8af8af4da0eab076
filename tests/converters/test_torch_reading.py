"""Weight files: every wrapping and container gives the tensors that torch itself gives."""

from __future__ import annotations

import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
from zoo_torch import checkpoint, container, safetensors, sniff
from zoo_torch.pickled import ITEM_SIZES

from zoo.errors import ModelError
from zoo.inference.artifacts import identify

torch = pytest.importorskip("torch", reason="what these files are is for torch to say")

FIXTURES = {
    "yunet/yunet_n.pth": ("mmcv", 208, ("optimizer",)),
    "yunet/yunet_s.pth": ("mmcv", 181, ("optimizer",)),
    "scrfd/scrfd_500m_bnkps.pth": ("mmcv", 285, ()),
    "retinaface/fd1mb_mobilenet0.25_Final.pth": ("bare", 300, ()),
    "retinaface/mobilenetV1X0.25_pretrain.tar": ("state_dict", 164, ("optimizer",)),
    "landmarks/peppa_slim160_68.pth": ("bare", 152, ()),
    "recognition/foamliu_mobilefacenet.pt": ("bare", 307, ()),
    "written_by_originals/pl_synthetics_test_resnet.ckpt": (
        "lightning",
        92,
        ("optimizer_states", "lr_schedulers", "loops"),
    ),
}


def assert_same(ours: Any, theirs: Any) -> None:
    assert list(ours) == list(theirs)
    for name, tensor in theirs.items():
        assert ours[name].dtype == tensor.dtype
        assert ours[name].shape == tensor.shape
        assert ours[name].stride() == tensor.stride()
        assert torch.equal(ours[name], tensor)


@pytest.mark.parametrize("name", FIXTURES)
def test_public_weights_are_what_torch_reads(fixtures: Path, name: str) -> None:
    wrapping, count, left = FIXTURES[name]
    read = checkpoint.read(fixtures / name)
    loaded = torch.load(fixtures / name, weights_only=True, map_location="cpu")
    state = loaded.get("state_dict", loaded)
    assert_same(read.state, {key.removeprefix("module."): tensor for key, tensor in state.items()})
    assert (read.wrapping, len(read.state), read.left) == (wrapping, count, left)
    shapes = checkpoint.tensors(fixtures / name)
    assert shapes == {key: tuple(tensor.shape) for key, tensor in read.state.items()}


def test_what_else_a_file_says_is_kept(fixtures: Path) -> None:
    lightning = checkpoint.read(fixtures / "written_by_originals/pl_synthetics_test_resnet.ckpt")
    assert lightning.meta["hyper_parameters"] == {"backbone": "test_resnet"}
    yunet = checkpoint.read(fixtures / "yunet/yunet_n.pth")
    assert (yunet.meta["meta"]["epoch"], yunet.meta["meta"]["CLASSES"]) == (560, ["FG"])


@pytest.mark.parametrize("name", FIXTURES)
def test_public_weights_are_recognised(fixtures: Path, name: str) -> None:
    lightning = FIXTURES[name][0] == "lightning"
    assert (sniff.lightning(fixtures / name)[0] > 0.8) == lightning
    assert (sniff.torch(fixtures / name)[0] > 0.8) == (not lightning)
    assert sniff.safetensors(fixtures / name)[0] == 0


def test_other_files_are_not_recognised(fixtures: Path) -> None:
    for name in ("recognition/small_dataset.tar", "yunet/yunet_n_dynamic.onnx", "README.md"):
        assert [look(fixtures / name)[0] for look in (sniff.torch, sniff.lightning, sniff.safetensors)] == [0, 0, 0]
        with pytest.raises(ModelError, match=r"damaged or not a file of torch\.save"):
            checkpoint.tensors(fixtures / name)


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_what_was_cut_off_is_recognised_by_its_name_and_told(fixtures: Path, tmp_path: Path, share: float) -> None:
    whole = (fixtures / "yunet" / "yunet_s.pth").read_bytes()
    for name in ("cut.pth", "cut.dat"):
        path = tmp_path / name
        path.write_bytes(whole[: int(len(whole) * share)])
        assert (sniff.torch(path)[0] > 0.8) == (name == "cut.pth")
        assert sniff.lightning(path)[0] == 0
        with pytest.raises(ModelError, match=r"cut\.\w+ is cut off or damaged"):
            identify(path, "torch")


DTYPES = tuple(ITEM_SIZES)[:17]


def state() -> dict[str, Any]:
    """Tensors of every kind, some of them views of one storage."""
    whole = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    made: dict[str, Any] = {dtype: torch.arange(6).to(getattr(torch, dtype)).reshape(2, 3) for dtype in DTYPES}
    views = {"whole": whole, "part": whole[1], "turned": whole.permute(2, 0, 1), "step": whole.flatten()[1::5]}
    return {**made, **views, "empty": torch.zeros(0, 3), "scalar": torch.tensor(7.5), "counter": torch.tensor(3)}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_tensors_of_every_kind(tmp_path: Path, zipped: bool, protocol: int) -> None:
    path = tmp_path / "a.pth"
    torch.save(state(), path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    read = checkpoint.read(path).state
    assert {name: tensor.dtype for name, tensor in read.items()} == {k: v.dtype for k, v in state().items()}
    for name, tensor in state().items():
        assert torch.equal(read[name].to(torch.complex128), tensor.to(torch.complex128))
        assert read[name].stride() == tensor.stride()
    assert read["part"].data_ptr() == read["whole"][1].data_ptr()


def test_parameters_and_tensors_with_attributes(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    odd = torch.ones(2)
    odd.note = "mine"
    torch.save({"p": torch.nn.Parameter(torch.zeros(3)), "odd": odd}, path)
    assert checkpoint.tensors(path) == {"p": (3,), "odd": (2,)}
    assert checkpoint.read(path).state["odd"].tolist() == [1, 1]


NET = {"module.a.weight": 1, "module.a.bias": 2}
WRAPPED = {
    "bare": lambda net: net,
    "state_dict": lambda net: {"state_dict": net, "epoch": 3},
    "mmcv": lambda net: {"meta": {"epoch": 1}, "state_dict": net, "optimizer": {"state": {}}},
    "model": lambda net: {"model": net, "optimizer": {"x": 1}},
    "state_dict_backbone": lambda net: {"epoch": 1, "state_dict_backbone": net, "state_dict_softmax_fc": {}},
    "state_dict_ema": lambda net: {"state_dict": {"other": torch.ones(1)}, "state_dict_ema": net},
    "lightning": lambda net: {"state_dict": net, "pytorch-lightning_version": "1.5.8"},
}


@pytest.mark.parametrize("wrapping", WRAPPED)
@pytest.mark.parametrize("zipped", [True, False])
def test_every_wrapping(tmp_path: Path, wrapping: str, zipped: bool) -> None:
    path = tmp_path / "a.pth"
    net = OrderedDict((name, torch.full((2,), float(value))) for name, value in NET.items())
    torch.save(WRAPPED[wrapping](net), path, _use_new_zipfile_serialization=zipped)
    read = checkpoint.read(path)
    assert read.wrapping == wrapping
    assert {name: tensor.tolist() for name, tensor in read.state.items()} == {"a.weight": [1, 1], "a.bias": [2, 2]}


def old_lightning() -> dict[str, Any]:
    """Classes of packages that are not installed, as Lightning 1.4 and its users put them into a checkpoint."""

    class ModelCheckpoint:
        pass

    class AttributeDict(dict):  # type: ignore[type-arg]
        pass

    class Loss:
        def __init__(self) -> None:
            self.margin = 0.5

    sys.modules["lightning_that_was"] = types.ModuleType("lightning_that_was")
    for kind, name in ((ModelCheckpoint, "callbacks"), (AttributeDict, "utilities"), (Loss, "losses")):
        module = types.ModuleType(f"lightning_that_was.{name}")
        kind.__module__, kind.__qualname__ = module.__name__, kind.__name__
        setattr(module, kind.__name__, kind)
        sys.modules[module.__name__] = module
    return {
        "epoch": 2,
        "global_step": 10,
        "pytorch-lightning_version": "1.4.9",
        "state_dict": OrderedDict({"backbone.fc.weight": torch.ones(2, 3)}),
        "callbacks": {ModelCheckpoint: {"best_model_score": torch.tensor(0.25), "dirpath": Path("runs")}},
        "optimizer_states": [{"state": {0: {"momentum_buffer": torch.zeros(2, 3)}}, "param_groups": [{"lr": 0.1}]}],
        "hparams_name": "kwargs",
        "hyper_parameters": AttributeDict(backbone="resnet50d", classes=136, loss=Loss()),
    }


@pytest.mark.parametrize("zipped", [True, False])
def test_an_old_lightning_file_with_classes_in_it_is_read_without_them(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "a.ckpt"
    before = set(sys.modules)
    try:
        torch.save(old_lightning(), path, _use_new_zipfile_serialization=zipped)
    finally:
        for name in set(sys.modules) - before:
            del sys.modules[name]
    with pytest.raises(Exception, match="lightning_that_was"):
        torch.load(path, weights_only=True)
    read = checkpoint.read(path)
    assert sniff.lightning(path)[0] > 0.9
    assert read.state["backbone.fc.weight"].tolist() == [[1, 1, 1], [1, 1, 1]]
    parameters = {"backbone": "resnet50d", "classes": 136, "loss": {"margin": 0.5}}
    assert read.meta["hyper_parameters"] == checkpoint.configured(path) == parameters
    assert read.left == ("optimizer_states", "callbacks")
    assert not any(name.startswith("lightning_that_was") for name in sys.modules)


def test_a_whole_network_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save(torch.nn.Sequential(torch.nn.Linear(2, 2)), path)
    with pytest.raises(ModelError, match=r"whole object of the class torch\.nn\.modules\.container\.Sequential"):
        checkpoint.read(path)


def test_a_torchscript_archive_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), path)
    with pytest.raises(ModelError, match="TorchScript"):
        checkpoint.read(path)


def test_a_sparse_tensor_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save({"w": torch.eye(3).to_sparse()}, path)
    with pytest.raises(ModelError, match=r"calls torch\.serialization\._get_layout"):
        checkpoint.read(path)


def test_a_file_without_tensors_is_told(tmp_path: Path) -> None:
    for value, told in (({}, "holds no tensors"), ([1], "no state dict but a list"), ({"a": 1}, "'a' is no tensor")):
        torch.save(value, tmp_path / "a.pt")
        with pytest.raises(ModelError, match=told):
            checkpoint.read(tmp_path / "a.pt")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        checkpoint.read(tmp_path / "none.pth")


def test_only_what_the_network_needs_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, fetched = tmp_path / "a.pth", list[int]()
    torch.save({"state_dict": {"w": torch.ones(3)}, "optimizer": {"state": torch.zeros(100_000)}}, path)
    fetch = container.fetch
    monkeypatch.setattr(
        container, "fetch", lambda file, place, path: fetched.append(place.size) or fetch(file, place, path)
    )
    checkpoint.read(path)
    assert max(fetched) < 5000


@pytest.mark.parametrize("suffix", [".pth", ".ckpt", ".safetensors"])
def test_a_card_travels_and_the_tensors_stay(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    tensors = {name: tensor for name, tensor in state().items() if name in ("float32", "bfloat16", "int64", "scalar")}
    if suffix == ".safetensors":
        safetensors.save(path, tensors)
    else:
        torch.save({"state_dict": tensors, "pytorch-lightning_version": "2"}, path)
    assert checkpoint.read_card(path) == ""
    before = path.read_bytes()
    for text in ("a card", "another, longer one: größer " * 50, "short"):
        checkpoint.write_card(path, text)
        assert checkpoint.read_card(path) == text
        assert checkpoint.read(path).card == text
    kept = checkpoint.read(path).state
    assert_same({name: kept[name] for name in tensors}, tensors)
    if suffix == ".safetensors":
        assert path.read_bytes().endswith(before[-50:])
    else:
        assert path.read_bytes().startswith(before[: before.rindex(b"PK\x03\x04")])
        for mapped in (False, True):
            assert_same(torch.load(path, weights_only=True, mmap=mapped)["state_dict"], tensors)
        assert len(path.read_bytes()) < len(before) + 300


def test_safetensors_keep_their_other_metadata(tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.torch import save_file

    path = tmp_path / "a.safetensors"
    save_file({"w": torch.ones(3)}, path, {"format": "pt", "author": "somebody"})
    checkpoint.write_card(path, "card")
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"format": "pt", "author": "somebody", "zoo.card": "card"}
        assert file.get_tensor("w").tolist() == [1, 1, 1]
    assert checkpoint.tensors(path) == {"w": (3,)}
    assert sniff.safetensors(path)[0] > 0.9
