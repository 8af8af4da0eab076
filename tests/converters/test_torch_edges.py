"""From weights to other formats: the same network, with the names, sizes and opset that were asked for."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo_torch import checkpoint, safetensors
from zoo_torch.options import OnnxOptions, TfliteOptions

from tests.conversion.test_disk_full import disk
from zoo.errors import ModelError, RuntimeMissingError, UsageError
from zoo.inference.artifacts import identify
from zoo.models import edges
from zoo.models.edges import Edge
from zoo.options import describe, make
from zoo.plugins import catalogue, resolve
from zoo.runtimes import Session, open_session
from zoo.specs import Crop, ModelCard, Preprocess

torch = pytest.importorskip("torch", reason="networks are torch's")

EVERY = frozenset(("batch", "height", "width"))
CARD = ModelCard(
    "tiny",
    "none",
    "A network for tests.",
    "tiny",
    Preprocess(multiple=8),
    input="pictures",
    outputs=("score_8", "map", "a_mean"),
)


class Tiny(torch.nn.Module):  # type: ignore[misc]
    """A strided convolution with batch-norm; three outputs, of which one depends on the size that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.bn = torch.nn.BatchNorm2d(8)
        self.head = torch.nn.Conv2d(8, 2, 1)
        self.group = torch.nn.GroupNorm(2, 8)

    def forward(self, images: Any) -> tuple[Any, ...]:
        maps = self.bn(self.conv(images)).relu()
        up = torch.nn.functional.interpolate(self.group(maps), scale_factor=2.0, mode="nearest")
        rows = self.head(maps).permute(0, 2, 3, 1).reshape(maps.shape[0], -1, 2).sigmoid()
        return rows, up, maps.mean((2, 3))


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The card's network is `Tiny`; torch runs on one thread."""
    torch.set_num_threads(1)
    for module in (edges, resolve("zoo_torch.networks:load").__globals__):
        target = module if isinstance(module, dict) else vars(module)
        monkeypatch.setitem(target, "network", lambda card: Tiny().eval())


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Weights whose running mean and variance differ much from what any batch has."""
    torch.manual_seed(0)
    net = Tiny()
    net.bn.running_mean.uniform_(-3, 3)
    net.bn.running_var.uniform_(0.1, 9)
    path = tmp_path / "tiny.pth"
    torch.save({"state_dict": net.state_dict(), "meta": {"epoch": 3}, "optimizer": {"lr": 1}}, path)
    return path


def images(batch: int = 1, height: int = 32, width: int = 48) -> Any:
    return np.random.default_rng(0).normal(0, 1, (batch, 3, height, width)).astype(np.float32)


def torch_session(path: Path, card: ModelCard = CARD, **asked: Any) -> Session:
    session: Session = resolve("zoo_torch.session:TorchSession")(path, card=card, **asked)
    return session


def go(run: str, source: Path, target: Path, options: Any = None, **asked: Any) -> tuple[ModelCard, list[str]]:
    notes: list[str] = []
    edge = Edge(
        source,
        target,
        asked.pop("card", CARD),
        target.parent,
        asked.pop("size", (48, 32)),
        options=options,
        note=notes.append,
        **asked,
    )
    return resolve(run)(edge), notes


# Between weight files.


def test_weights_travel_bit_for_bit(weights: Path, tmp_path: Path) -> None:
    card, notes = go("zoo_torch.edges:to_safetensors", weights, tmp_path / "a.safetensors")
    assert card == CARD
    assert notes == ["left out, because only training needs it: optimizer"]
    go("zoo_torch.edges:to_torch", tmp_path / "a.safetensors", tmp_path / "b.pth")
    first, last = torch.load(weights)["state_dict"], torch.load(tmp_path / "b.pth")["state_dict"]
    assert sorted(first) == sorted(last)
    assert all(torch.equal(first[name], last[name]) and first[name].dtype == last[name].dtype for name in first)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int8", "bool", "float8_e5m2"])
def test_numbers_of_every_type_travel(tmp_path: Path, dtype: str) -> None:
    value = torch.arange(-4, 4).to(getattr(torch, dtype))
    torch.save({"w": value, "turned": value.reshape(2, 4).t()}, tmp_path / "a.pth")
    go("zoo_torch.edges:to_safetensors", tmp_path / "a.pth", tmp_path / "a.safetensors")
    go("zoo_torch.edges:to_torch", tmp_path / "a.safetensors", tmp_path / "b.pth")
    read = checkpoint.read(tmp_path / "b.pth").state
    assert read["w"].dtype == value.dtype
    assert torch.equal(read["w"].view(torch.uint8), value.view(torch.uint8))
    assert torch.equal(read["turned"].float(), value.reshape(2, 4).t().float())


def test_tensors_that_share_numbers_are_told_and_become_their_own(tmp_path: Path) -> None:
    whole = torch.arange(10.0)
    torch.save({"a": whole, "b": whole[3:5], "c": torch.ones(1)}, tmp_path / "a.pth")
    _, notes = go("zoo_torch.edges:to_safetensors", tmp_path / "a.pth", tmp_path / "a.safetensors")
    assert notes == ["a and b share their numbers in a.pth; in safetensors each has its own"]
    assert checkpoint.read(tmp_path / "a.safetensors").state["b"].tolist() == [3, 4]


def test_a_lightning_file_becomes_weights_and_keeps_its_hyper_parameters(fixtures: Path, tmp_path: Path) -> None:
    source = fixtures / "written_by_originals/pl_synthetics_test_resnet.ckpt"
    _, notes = go("zoo_torch.edges:to_torch", source, tmp_path / "a.pth")
    assert notes == ["left out, because only training needs it: optimizer_states, lr_schedulers, loops"]
    loaded = torch.load(tmp_path / "a.pth")
    assert loaded["meta"]["hyper_parameters"] == {"backbone": "test_resnet"}
    before = torch.load(source)["state_dict"]
    assert all(torch.equal(before[name], tensor) for name, tensor in loaded["state_dict"].items())


def test_a_full_disk_is_an_error_of_the_system(weights: Path, tmp_path: Path) -> None:
    """Not one of the framework's own, nor the end of the process."""
    edges = ["edges:to_torch", "edges:to_safetensors"]
    edges += ["tflite_export:to_tflite"] if importlib.util.find_spec("litert_torch") else []
    with disk(tmp_path / "disk", 4) as small:
        (small / "filler").write_bytes(bytes(4096))
        for edge in edges:
            options = TfliteOptions() if "tflite" in edge else None
            with pytest.raises(OSError, match="No space left on device"):
                go(f"zoo_torch.{edge}", weights, small / "a", options)


def test_the_same_source_gives_the_same_bytes(weights: Path, tmp_path: Path) -> None:
    for run, name in (("edges:to_torch", "pth"), ("edges:to_safetensors", "safetensors")):
        for folder in ("one", "two"):
            (tmp_path / folder).mkdir(exist_ok=True)
            go(f"zoo_torch.{run}", weights, tmp_path / folder / f"{folder}.{name}")
            checkpoint.write_card(tmp_path / folder / f"{folder}.{name}", "card")
        assert (tmp_path / f"one/one.{name}").read_bytes() == (tmp_path / f"two/two.{name}").read_bytes()


# ONNX.


def onnx_of(weights: Path, target: Path, opset: int = 17, **asked: Any) -> Any:
    onnx = pytest.importorskip("onnx")
    card, _ = go("zoo_torch.onnx_export:to_onnx", weights, target, OnnxOptions(opset), **asked)
    assert card.outputs == CARD.outputs
    return onnx.load(target)


def sizes(values: Any) -> list[list[Any]]:
    return [[side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim] for value in values]


@pytest.mark.parametrize("opset", [11, 13, 17, 20])
@pytest.mark.parametrize("runtime", ["onnxruntime", "opencv"])
def test_every_opset_gives_the_same_numbers_at_every_size(
    weights: Path, tmp_path: Path, opset: int, runtime: str
) -> None:
    pytest.importorskip(runtime if runtime == "onnxruntime" else "cv2")
    path = tmp_path / "a.onnx"
    model = onnx_of(weights, path, opset, dynamic=EVERY)
    assert model.opset_import[0].version == opset
    session, original = open_session(path, "onnx", runtime=runtime, threads=1), torch_session(weights)
    for given in (images(), images(2), images(1, 8, 64)):
        wanted, got = original.run({"pictures": given}), session.run({"pictures": given})
        for one, other in zip(wanted, got, strict=True):
            assert one.shape == other.shape
            assert np.abs(one - other).max() < 1e-5


def test_names_and_what_stays_open(weights: Path, tmp_path: Path) -> None:
    model = onnx_of(weights, tmp_path / "a.onnx", dynamic=EVERY)
    assert [value.name for value in model.graph.input] == ["pictures"]
    assert [value.name for value in model.graph.output] == ["score_8", "map", "a_mean"]
    assert sizes(model.graph.input) == [["batch", 3, "height", "width"]]
    assert sizes(model.graph.output) == [["batch", 0, 2], ["batch", 8, 0, 0], ["batch", 8]]
    fixed = onnx_of(weights, tmp_path / "b.onnx")
    assert sizes(fixed.graph.input) == [[1, 3, 32, 48]]
    assert sizes(fixed.graph.output) == [[1, 384, 2], [1, 8, 32, 48], [1, 8]]
    batch = onnx_of(weights, tmp_path / "c.onnx", dynamic=frozenset(["batch"]))
    assert sizes(batch.graph.input) == [["batch", 3, 32, 48]]
    assert batch.graph.node[0].op_type == "Conv"


def test_batch_norm_is_folded_and_nothing_stands_outside(weights: Path, tmp_path: Path) -> None:
    model = onnx_of(weights, tmp_path / "a.onnx")
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert str(tmp_path).encode() not in (tmp_path / "a.onnx").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a.onnx", "tiny.pth"}


def test_opsets_that_there_are_not_are_refused() -> None:
    for opset in ("10", "21", "x"):
        with pytest.raises(UsageError, match="opset"):
            make(OnnxOptions, {"opset": opset})
    assert describe(OnnxOptions)["opset"].default == 17


def test_a_network_that_cannot_be_exported_is_told(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tiny, "forward", lambda self, images: (torch.special.i0e(images),))
    with pytest.raises(ModelError, match=r"torch cannot export .*tiny\.pth to ONNX of opset 17"):
        go(
            "zoo_torch.onnx_export:to_onnx",
            weights,
            tmp_path / "a.onnx",
            OnnxOptions(),
            card=replace(CARD, outputs=("a",)),
        )


def test_a_size_that_the_network_does_not_take_is_told(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tiny, "forward", lambda self, images: (images + torch.zeros(7),))
    for run, options in (("onnx_export:to_onnx", OnnxOptions()), ("tflite_export:to_tflite", TfliteOptions())):
        with pytest.raises(ModelError, match="tiny cannot process an input of 48x32"):
            go(f"zoo_torch.{run}", weights, tmp_path / "a", options)


# TFLite.


@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
def test_tflite_gives_the_same_numbers(weights: Path, tmp_path: Path, layout: Any, capfd: Any) -> None:
    pytest.importorskip("litert_torch", reason="TFLite is written by litert-torch")
    from ai_edge_litert.interpreter import Interpreter

    card, notes = go(
        "zoo_torch.tflite_export:to_tflite", weights, tmp_path / "a.tflite", TfliteOptions(layout), dynamic=EVERY
    )
    assert capfd.readouterr().out == ""
    assert (card.preprocess.layout, card.outputs) == (layout, CARD.outputs)
    assert notes == ["TFLite fixes the size: one image of 48x32"]
    run = Interpreter(str(tmp_path / "a.tflite")).get_signature_runner()
    given = images()
    got = run(pictures=given if layout == "nchw" else np.ascontiguousarray(given.transpose(0, 2, 3, 1)))
    for name, wanted in zip(CARD.outputs, torch_session(weights).run({"pictures": given}), strict=True):
        assert got[name].shape == wanted.shape
        assert np.abs(got[name] - wanted).max() < 1e-5


# The runtime.


def test_a_session_tells_what_it_is(weights: Path) -> None:
    session = torch_session(weights)
    assert (session.runtime, session.device) == ("torch", "cpu")
    assert [(info.name, info.shape) for info in session.inputs] == [("pictures", (None, 3, None, None))]
    assert [info.name for info in session.outputs] == list(CARD.outputs)
    assert session.outputs[0].shape == (None, None, 2)


def test_a_network_that_sees_one_face_has_its_size(weights: Path) -> None:
    card = replace(CARD, preprocess=Preprocess(size="48x32", crop=Crop("square")))
    session = torch_session(weights, card)
    assert session.inputs[0].shape == (None, 3, 32, 48)
    assert [info.shape for info in session.outputs] == [(None, 384, 2), (None, 8, 32, 48), (None, 8)]


def test_a_session_runs_batch_norm_as_it_was_trained(weights: Path) -> None:
    """In training mode the numbers of an image would depend on the batch it is in."""
    session, given = torch_session(weights), images(3)
    together = session.run({"pictures": given})
    for index in range(3):
        for one, other in zip(session.run({"pictures": given[index : index + 1]}), together, strict=True):
            assert np.abs(one[0] - other[index]).max() < 1e-5


def test_arrays_that_may_not_be_written_to_are_read(weights: Path) -> None:
    given = images()
    given.flags.writeable = False
    torch_session(weights).run({"pictures": given})


def test_wrong_inputs_and_wrong_weights_are_told(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"tiny\.pth cannot process an input of 1x4x8x8"):
        torch_session(weights).run({"pictures": np.zeros((1, 4, 8, 8), np.float32)})
    safetensors.save(tmp_path / "a.safetensors", {"conv.weight": torch.zeros(8, 3, 3, 3)})
    with pytest.raises(ModelError, match=r"a\.safetensors does not fit the network: it lacks conv\.bias"):
        torch_session(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("device", "error"),
    [
        ("cuda", RuntimeMissingError),
        ("cuda:7", RuntimeMissingError),
        ("cpu:1", RuntimeMissingError),
        ("cpu:x", UsageError),
        ("tpu", UsageError),
        ("", UsageError),
    ],
)
def test_devices_that_are_not_there_are_told(weights: Path, device: str, error: Callable[..., Any]) -> None:
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(error, match=device or "no device"):  # type: ignore[call-overload]
        torch_session(weights, device=device)


def test_the_number_of_threads_is_the_one_that_is_asked_for(weights: Path) -> None:
    torch_session(weights, threads=2)
    assert torch.get_num_threads() == 2
    torch_session(weights, threads=1)
    assert torch.get_num_threads() == 1


def test_the_health_check_runs_a_network() -> None:
    found = resolve("zoo_torch.checks:torch")()
    assert (found.status, found.name) == ("ok", "torch")
    assert torch.__version__ in found.detail


def test_every_edge_can_be_named() -> None:
    ours = [edge for edge in catalogue().converters.values() if edge.run.startswith("zoo_torch.")]
    assert len(ours) == 10
    assert all(callable(resolve(edge.run)) and not edge.loss for edge in ours)


# The originals.

ORIGINALS = {
    "yunet_n": ("yunet/yunet_n.pth", "yunet/yunet_n_dynamic.onnx"),
    "yunet_s": ("yunet/yunet_s.pth", "yunet/yunet_s_dynamic.onnx"),
    "scrfd_500m_bnkps": ("scrfd/scrfd_500m_bnkps.pth", "scrfd/scrfd_500m_bnkps_dynamic.onnx"),
}


@pytest.mark.parametrize("name", ORIGINALS)
def test_exports_of_public_weights_equal_the_originals_own(
    fixtures: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    pytest.importorskip("onnxruntime")
    import onnx

    source, shipped = (fixtures / file for file in ORIGINALS[name])
    card, path = catalogue().cards[name], tmp_path / "a.onnx"
    go("zoo_torch.onnx_export:to_onnx", source, path, OnnxOptions(11), card=card, size=(64, 64), dynamic=EVERY)
    ours, theirs = onnx.load(path).graph, onnx.load(shipped).graph
    assert [value.name for value in ours.input] == [value.name for value in theirs.input]
    assert [value.name for value in ours.output] == [value.name for value in theirs.output]
    assert [shape[-1] for shape in sizes(ours.output)] == [shape[-1] for shape in sizes(theirs.output)]
    sessions = [open_session(file, "onnx", threads=1) for file in (path, shipped)]
    given = np.random.default_rng(1).uniform(0, 255, (2, 3, 96, 64)).astype(np.float32)
    feeds = {card.input: (given - card.preprocess.mean[0]) * np.float32(card.preprocess.scale)}
    for one, other in zip(*(session.run(feeds) for session in sessions), strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() < 1e-5


def test_a_lightning_file_gives_what_its_writer_recorded(
    fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the hyper-parameters alone it is told which of timm's networks it is."""
    monkeypatch.undo()
    pytest.importorskip("timm", reason="the network is timm's")
    pytest.importorskip("onnxruntime")
    written = fixtures / "written_by_originals"
    artifact = identify(written / "pl_synthetics_test_resnet.ckpt")
    assert (artifact.format, artifact.card.network) == ("lightning", {"backbone": "test_resnet"})
    recorded, path = np.load(written / "pl_synthetics_test_resnet_io.npz"), tmp_path / "a.onnx"
    go("zoo_torch.onnx_export:to_onnx", artifact.path, path, OnnxOptions(), card=artifact.card, size=(256, 256))
    for session in (torch_session(artifact.path, artifact.card), open_session(path, "onnx", threads=1)):
        (got,) = session.run({artifact.card.input: recorded["x"].astype(np.float32)})
        assert np.abs(got.reshape(1, -1) - recorded["y"]).max() < 1e-5
