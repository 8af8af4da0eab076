"""The recognition networks against the originals' tensors, counts and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo_arcface import names
from zoo_arcface.architectures import CONFIGS

import zoo
from zoo.errors import InputError, ModelError, UsageError
from zoo.types import Faces

torch = pytest.importorskip("torch", reason="the networks are torch's")

# As counted by the originals: the table of arcface_torch's README, and MXNet's own parameter files.
PARAMETERS = {
    "arcface_r18": 24_025_600,
    "arcface_r34": 34_139_328,
    "arcface_r50": 43_590_848,
    "arcface_r100": 65_156_160,
    "arcface_mbf": 2_059_520,
    "arcface_mbf_large": 6_314_880,
    "arcface_lresnet50e_ir": 43_590_848,
    "arcface_lresnet100e_ir": 65_156_160,
    "arcface_y1": 1_003_264,
}
TORCH = ["r18", "r34", "r50", "r100", "mbf", "mbf_large"]
MXNET = {"r50": "lresnet50e_ir", "r100": "lresnet100e_ir", "m1": "m1", "y1": "y1"}


def listed(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of an original's tensors."""
    rows = [line.split("\t")[:2] for line in path.read_text("utf-8").splitlines()]
    return {name: () if shape == "scalar" else tuple(map(int, shape.split("x"))) for name, shape in rows}


def shapes(architecture: str, **arguments: Any) -> dict[str, tuple[int, ...]]:
    """Names and shapes of our network's tensors, none of which is made."""
    from zoo_arcface.network import build

    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in build(architecture, arguments).state_dict().items()}


def counted(found: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {name: shape for name, shape in found.items() if not name.endswith("num_batches_tracked")}


@pytest.mark.parametrize("name", TORCH)
def test_tensors_are_those_of_arcface_torch_in_its_order(fixtures: Path, name: str) -> None:
    wanted = listed(fixtures / "keys" / f"torch_arcface_{name}.tsv")
    assert list(shapes(f"arcface_{name}").items()) == list(wanted.items())
    assert names.recognise(wanted) == (f"arcface_{name}", {})


@pytest.mark.parametrize("name", MXNET)
def test_tensors_are_mxnets_under_other_names(fixtures: Path, name: str) -> None:
    wanted = listed(fixtures / "keys" / f"mxnet_{name}.tsv")
    assert names.from_mxnet(wanted) == counted(shapes(f"arcface_{MXNET[name]}"))
    assert names.recognise(wanted) == (f"arcface_{MXNET[name]}", {})


def test_parameters_are_as_many_as_published() -> None:
    from zoo_arcface.network import build

    from zoo.networks.complexity import parameters

    with torch.device("meta"):
        assert {name: parameters(build(name, {})) for name in PARAMETERS} == PARAMETERS


def test_foamlius_weights_load_and_give_what_its_onnx_gives(fixtures: Path) -> None:
    engine = pytest.importorskip("onnxruntime", reason="it runs the original's export")
    from zoo_arcface.network import build

    from zoo.networks.state import load_state

    torch.set_num_threads(1)
    stored = torch.load(fixtures / "recognition" / "foamliu_mobilefacenet.pt", "cpu", weights_only=True)
    found = names.recognise({name: tuple(value.shape) for name, value in stored.items()})
    assert found == ("mobilefacenet_foamliu", {})
    network = build(*found)
    load_state(network, stored, "foamliu_mobilefacenet.pt")
    images = np.random.default_rng(0).standard_normal((1, 3, 112, 112)).astype(np.float32)
    (wanted,) = engine.InferenceSession(fixtures / "recognition" / "foamliu_MobileFaceNet.onnx").run(
        None, {"input0": images}
    )
    with torch.no_grad():
        (got,) = network(torch.from_numpy(images))
    assert got.shape == (1, 128)
    np.testing.assert_allclose(got, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "arguments"),
    [
        ("arcface_r18", {"blocks": [1, 2, 1, 3], "embedding": 64}),
        ("arcface_r18", {"size": 64}),
        ("arcface_mbf", {"blocks": [3, 1, 1, 1], "scale": 1}),
        ("arcface_m1", {"base": 16, "embedding": 16}),
        ("arcface_y1", {"blocks": [2, 1, 1, 1]}),
        ("mobilefacenet_foamliu", {"embedding": 32}),
    ],
)
def test_own_variants_are_built_recognised_and_run(architecture: str, arguments: dict[str, Any]) -> None:
    from zoo_arcface.network import build

    found = names.recognise(shapes(architecture, **arguments))
    assert found is not None
    assert counted(shapes(found[0], **found[1])) == counted(shapes(architecture, **arguments))
    with torch.device("meta"):
        (embeddings,) = build(*found)(torch.empty(2, 3, *[arguments.get("size", 112)] * 2))
    assert embeddings.shape == (2, arguments.get("embedding", CONFIGS[architecture].embedding))


def test_a_state_dict_that_may_have_come_from_mxnet_is_told_to_be_one(tmp_path: Path) -> None:
    from zoo.inference.artifacts import identify
    from zoo.inference.loading import request
    from zoo.models.plan import make_plan
    from zoo.weights import WeightStore

    path, said = tmp_path / "backbone.pth", list[str]()
    wanted = shapes("arcface_r34", embedding=8, size=16)
    torch.save({name: torch.zeros(shape, dtype=torch.int8) for name, shape in wanted.items()}, path)
    assert request(path, WeightStore(say=said.append)).card.id == "arcface_r34"
    (doubt,) = said
    assert "is taken for arcface_r34; arcface_lresnet34e_ir has the same tensors" in doubt
    assert make_plan(path, tmp_path / "own.onnx", {}).describe()["doubt"] == doubt
    for name in ("arcface_r34", "arcface_lresnet34e_ir"):
        found = identify(path, card=name)
        assert (found.card.id, found.doubt) == (name, "")


def test_mxnets_networks_normalise_themselves() -> None:
    from zoo_arcface.network import build

    torch.manual_seed(0)
    inside = build("arcface_y1", {"blocks": [1, 1, 1, 1]})
    outside = build("arcface_y1", {"blocks": [1, 1, 1, 1], "normalise": False})
    outside.load_state_dict(inside.state_dict())
    pixels = torch.randint(0, 256, (1, 3, 112, 112)).float()
    with torch.no_grad():
        torch.testing.assert_close(inside(pixels), outside((pixels - 127.5) / 128))


def test_batch_norm_adds_what_the_originals_add() -> None:
    from zoo_arcface.network import build

    with torch.device("meta"):
        found = {name: build(name, {}) for name in ("arcface_r18", "arcface_lresnet34e_ir", "arcface_y1", "arcface_m1")}
    added = {name: [one.eps for one in net.modules() if hasattr(one, "running_var")] for name, net in found.items()}
    assert set(added["arcface_r18"]) == {1e-5}
    assert set(added["arcface_lresnet34e_ir"]) == {2e-5}
    for name in ("arcface_y1", "arcface_m1"):
        assert set(added[name][:-1]) == {1e-3}
        assert added[name][-1] == 2e-5


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"conv1.weight": (64, 3, 3, 3)},
        {"fc.weight": (), "fc.bias": (512,)},
        {"conv1.weight": (64, 3, 7, 7), "layer1.0.conv1.weight": (64, 64, 1, 1), "layer1.0.relu.x": (1,)},
        {"arg:conv0_weight": (64, 3, 3, 3), "arg:fc7_weight": (85742, 512)},
        {"arg:conv1_weight": (10, 3, 3, 3), "arg:prelu1_gamma": (10,)},
        {"arg:": (1,)},
        {"layers.0.layers.0.weight": (7,)},
        {"conv_1.conv2d.weight": (1 << 40, 3, 3, 3), "pre_fc1.weight": (128, 512)},
    ],
)
def test_other_networks_are_not_taken_for_ours(found: dict[str, tuple[int, ...]]) -> None:
    assert names.recognise(found) is None
    assert names.translate({name: np.empty(()) for name in found}) is None


def test_what_cannot_be_built_is_said_in_one_sentence() -> None:
    from zoo_arcface.network import build

    with pytest.raises(UsageError, match=r"There is no architecture 'arcface_r51'.*Did you mean arcface_r5?0"):
        build("arcface_r51", {})
    with pytest.raises(UsageError, match="blocks must be 4 numbers, not 3"):
        build("arcface_r50", {"blocks": [1, 2, 3]})
    with pytest.raises(UsageError, match="base must be a multiple of 16, not 8"):
        build("arcface_m1", {"base": 8})
    with pytest.raises(UsageError, match=r"has no field 'depth'"):
        build("arcface_mbf", {"depth": 3})


SMALL = {
    "arcface_r18": {"blocks": [1, 1, 1, 1], "embedding": 16},
    "arcface_lresnet34e_ir": {"blocks": [1, 1, 1, 1], "embedding": 16},
    "arcface_mbf": {"blocks": [1, 1, 1, 1]},
    "arcface_m1": {"base": 16},
    "arcface_y1": {"blocks": [1, 1, 1, 1]},
    "mobilefacenet_foamliu": {},
}


@pytest.mark.parametrize("architecture", SMALL)
@pytest.mark.filterwarnings("ignore")
def test_networks_export_with_an_open_batch(tmp_path: Path, architecture: str) -> None:
    engine = pytest.importorskip("onnxruntime", reason="it runs what was exported")
    pytest.importorskip("onnx", reason="the exporter writes with it")
    from zoo_arcface.network import build

    torch.manual_seed(0)
    network, path = build(architecture, SMALL[architecture]), tmp_path / "model.onnx"
    names = {"input_names": ["input"], "output_names": ["embedding"], "dynamic_axes": {"input": {0: "batch"}}}
    torch.onnx.export(network, torch.zeros(1, 3, 112, 112), path, opset_version=13, dynamo=False, **names)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 3, 112, 112)).astype(np.float32)
    (got,) = engine.InferenceSession(path).run(["embedding"], {"input": images})
    with torch.no_grad():
        np.testing.assert_allclose(got, network(torch.from_numpy(images))[0], atol=1e-5)


# --------------------------------------------------------------------------------------------------- on photographs


@pytest.fixture
def weights(fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the default model's weights are, and its detector's."""
    monkeypatch.setenv("ZOO_WEIGHTS_PATH", str(fixtures))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    return fixtures


def directions(model: Any, paths: list[Path]) -> Any:
    """Embeddings of unit length of the surest face in each photograph."""
    found = [model(path) for path in paths]
    rows = np.stack([faces.embeddings[int(np.argmax(faces.scores))] for faces in found])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_same_person_is_alike_and_another_is_not(weights: Path) -> None:
    people = [sorted((weights / "identities" / name).iterdir())[:3] for name in ("amy", "howard", "sheldon")]
    rows = directions(zoo.load("arcface"), [path for photos in people for path in photos])
    alike = (rows @ rows.T).reshape(3, 3, 3, 3)
    same = [alike[person, i, person, j] for person in range(3) for i in range(3) for j in range(i)]
    other = [alike[one, i, two, j] for one in range(3) for two in range(one) for i in range(3) for j in range(3)]
    assert min(same) > 0.35
    assert max(other) < 0.3
    assert np.mean(same) - np.mean(other) > 0.4


def test_every_face_of_a_crowd_gets_its_embedding_from_torch_as_from_onnx(weights: Path) -> None:
    photo = weights / "images" / "insightface_t1.jpg"
    faces = zoo.load("arcface")(photo)
    assert faces.embeddings is not None
    assert faces.embeddings.shape == (6, 128)
    torch.set_num_threads(1)
    stored = weights / "recognition" / "foamliu_mobilefacenet.pt"
    again = zoo.load(stored)(photo, faces=faces)
    np.testing.assert_allclose(again.embeddings, faces.embeddings, atol=2e-5)


def test_a_face_without_keypoints_cannot_be_turned_upright(weights: Path) -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    with pytest.raises(InputError, match="without its five keypoints cannot be aligned"):
        zoo.load("arcface")(image, faces=Faces(np.array([[10.0, 10, 90, 90]], np.float32), np.ones(1, np.float32)))


def test_other_networks_are_refused_when_they_answer(weights: Path, tmp_path: Path) -> None:
    from onnx import TensorProto, helper, save

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 112, 112])
    mean = helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["n", 3, 1, 1])
    nodes = [helper.make_node("GlobalAveragePool", ["image"], ["mean"])]
    graph, opset = helper.make_graph(nodes, "mean", [image], [mean]), [helper.make_opsetid("", 13)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "mean.onnx")
    model = zoo.load("mobilefacenet_foamliu", weights=tmp_path / "mean.onnx")
    with pytest.raises(
        ModelError, match="answers with 3 numbers a face where the card mobilefacenet_foamliu expects 128"
    ):
        model(weights / "images" / "insightface_t1.jpg")
