"""MXNet's files: real ones, ones that MXNet wrote, and hostile ones; and its networks in ONNX, NumPy and PyTorch."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from zoo_mxnet import files, params, reference, symbol, toonnx
from zoo_mxnet.network import Network, load
from zoo_mxnet.options import OnnxOptions
from zoo_mxnet.session import MxnetSession
from zoo_mxnet.sniff import sniff

from tests.converters import mxnet_models as made
from zoo.errors import ModelError, RuntimeMissingError, UsageError
from zoo.models.edges import Edge
from zoo.plugins import catalogue
from zoo.specs import ModelCard

OPEN = frozenset({"batch", "height", "width"})


def executed(network: Network, images: Any, opset: int = 13) -> list[Any]:
    """The outputs of the network's ONNX."""
    engine = pytest.importorskip("onnxruntime", reason="it runs what was converted")
    model = toonnx.convert(network, (images.shape[3], images.shape[2]), OPEN, opset)
    session = engine.InferenceSession(model.SerializeToString())
    outputs: list[Any] = session.run(None, {session.get_inputs()[0].name: images})
    return outputs


def edge(source: Path, folder: Path, card: ModelCard, name: str, **options: Any) -> Edge:
    (folder / "work").mkdir(exist_ok=True)
    return Edge(source, folder / name, card, folder / "work", (112, 112), frozenset({"batch"}), OnnxOptions(**options))


def close(got: Any, wanted: Any, tolerance: float = 1e-5) -> None:
    """Within `tolerance` of the largest value."""
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * max(1, np.abs(wanted).max()))


# ------------------------------------------------------------------------------------------------- files of arrays


def test_arrays_that_mxnet_wrote_are_read(fixtures: Path) -> None:
    folder = fixtures / "written_by_originals"
    entries = params.entries(folder / "dtypes.params")
    assert [(entry.name, entry.shape, entry.sparse[:3]) for entry in entries] == [
        ("f16", (2,), ""), ("f64", (1,), ""), ("u8", (2,), ""), ("i32", (1, 2), ""), ("i8", (1,), ""),
        ("i64", (1,), ""), ("csr", (2, 2), "com"), ("rsp", (2, 2), "row"),
    ]  # fmt: skip
    unnamed = params.read(folder / "list_noname.params")
    assert {name: value.tolist() for name, value in unnamed.items()} == {"0": [0, 1, 2], "1": [[1, 1], [1, 1]]}
    recorded, tiny = np.load(folder / "tiny_arcface_io.npz"), params.read(folder / "tiny_arcface-0000.params")
    for name, value in tiny.items():
        np.testing.assert_array_equal(value, recorded[name])
    assert {"x", "y", *tiny} == set(recorded)


def test_sparse_arrays_are_refused_by_name(fixtures: Path) -> None:
    with pytest.raises(ModelError, match=r"The array csr of .* is compressed-row \(CSR\), and the zoo reads dense"):
        params.read(fixtures / "written_by_originals" / "dtypes.params")


def test_the_oldest_layout_is_read(fixtures: Path) -> None:
    found = params.read(fixtures / "mxnet" / "legacy_ndarray.v0")
    assert list(found) == list("012345")
    for value in found.values():
        np.testing.assert_array_equal(value, np.arange(128, dtype=np.float32))
    assert params.shapes(fixtures / "mxnet" / "mtcnn_det1-0001.params")["arg:conv1_weight"] == (10, 3, 3, 3)


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_every_version_and_type_comes_back(tmp_path: Path, version: int) -> None:
    rng, path = np.random.default_rng(0), tmp_path / "a.params"
    wanted = {kind: rng.integers(0, 2, (2, 3)).astype(kind) for kind in made.KINDS}
    path.write_bytes(made.written(wanted, version))
    found = params.read(path)
    assert list(found) == list(wanted)
    for name, value in found.items():
        assert value.dtype == wanted[name].dtype
        np.testing.assert_array_equal(value, wanted[name])


def test_bfloat16_becomes_float32(tmp_path: Path) -> None:
    values = np.array([1, -2.5, 3e38, 0.15625], np.float32)
    bits = (values.view(np.uint32) >> 16).astype(np.uint16)
    (tmp_path / "a.params").write_bytes(made.collection([made.array(bits, kind=made.BFLOAT16)]))
    found = params.read(tmp_path / "a.params")["0"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, values, rtol=0.01)


def test_no_array_and_a_single_number(tmp_path: Path) -> None:
    nothing = struct.pack("<Iii", 0xF993FAC9, 0, 0), struct.pack("<Iii", 0xF993FACA, 0, -1), struct.pack("<I", 0)
    (tmp_path / "a.params").write_bytes(made.collection([*nothing, made.array(np.float32(7), 3)]))
    found = params.read(tmp_path / "a.params")
    assert [value.shape for value in found.values()] == [(0,), (0,), (0,), ()]
    assert found["3"] == 7


def test_a_file_cut_anywhere_is_refused(tmp_path: Path, fixtures: Path) -> None:
    path, whole = tmp_path / "a.params", (fixtures / "written_by_originals" / "dtypes.params").read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(ModelError, match=r"is damaged or no file of MXNet's arrays: it [\w ']+"):
            params.entries(path)


def test_a_changed_byte_never_does_more_than_be_refused(tmp_path: Path, fixtures: Path) -> None:
    path, whole = tmp_path / "a.params", bytearray((fixtures / "written_by_originals" / "dtypes.params").read_bytes())
    rng = np.random.default_rng(0)
    for place in range(16, len(whole)):
        changed = whole.copy()
        changed[place] = int(rng.integers(256))
        path.write_bytes(changed)
        try:
            assert all(entry.offset <= len(whole) for entry in params.entries(path))
        except ModelError as error:
            assert "\n" not in str(error)


HUGE = 1 << 62
LIES = {
    "a shape beyond the file": struct.pack("<IiiqqII", 0xF993FAC9, 0, 2, HUGE, HUGE, 1, 0) + bytes(12),
    "a size that overflows": struct.pack("<IiiqqIII", 0xF993FAC9, 0, 2, 1 << 32, 1 << 31, 1, 0, 0) + bytes(12),
    "a negative size": struct.pack("<IiiqII", 0xF993FAC9, 0, 1, -4, 1, 0) + bytes(12),
    "many dimensions": struct.pack("<Iii", 0xF993FAC9, 0, 1 << 30) + bytes(12),
    "a type that there is not": struct.pack("<IiiqIII", 0xF993FAC9, 0, 1, 1, 1, 0, 99) + bytes(12),
    "a storage that there is not": struct.pack("<Ii", 0xF993FAC9, 7) + bytes(12),
    "an oldest shape beyond the file": struct.pack("<IIIII", 2, 1 << 31, 1 << 31, 1, 0) + bytes(12),
    "sparse indices beyond the file": struct.pack("<Iiiqiq", 0xF993FAC9, 1, 1, 1, 1, HUGE)
    + struct.pack("<IIIiiq", 1, 0, 0, 6, 1, HUGE)
    + bytes(12),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_a_file_declares_is_held_against_its_size(tmp_path: Path, lie: str) -> None:
    path = tmp_path / "a.params"
    path.write_bytes(made.collection([LIES[lie]]))
    with pytest.raises(ModelError, match="is damaged or no file of MXNet's arrays"):
        params.read(path)


def test_counts_and_names_that_lie_are_refused(tmp_path: Path) -> None:
    one, path = made.array(np.zeros(2, np.float32)), tmp_path / "a.params"
    header = struct.pack("<QQ", 0x112, 0)
    for data, says in (
        (header + struct.pack("<Q", HUGE), f"declares {HUGE} arrays where 0 bytes are left"),
        (made.collection([one])[:-8] + struct.pack("<Q", HUGE), f"declares {HUGE} names where 0 bytes are left"),
        (made.collection([one, one], ["a"]), "has 1 names for 2 arrays"),
        (made.collection([one, one], ["a", "a"]), "has two arrays of the name 'a'"),
        (made.collection([one])[:-8] + struct.pack("<QQ", 1, HUGE), f"has a name of {HUGE} bytes where 0 are left"),
        (made.collection([one])[:-8] + struct.pack("<QQ", 1, 2) + b"\xff\xff", "has a name that is no text"),
        (made.collection([one]) + b"more", "goes on for 4 bytes after its end"),
        (b"PK\x03\x04" * 8, "does not begin as MXNet's files of arrays do"),
        (b"", "ends in the middle"),
    ):
        path.write_bytes(data)
        with pytest.raises(ModelError) as raised:
            params.read(path)
        assert says in str(raised.value)


# ------------------------------------------------------------------------------------------------------- symbols


def test_symbols_of_all_ages_are_read(fixtures: Path) -> None:
    oldest = symbol.read(fixtures / "mxnet" / "mtcnn_det1-symbol.json")
    newest = symbol.read(fixtures / "written_by_originals" / "tiny_arcface-symbol.json")
    assert oldest.nodes[3].numbers("kernel") == newest.nodes[4].numbers("kernel") == (3, 3)
    assert [node.op for node in newest.nodes if node.op != "null"] == [
        "_minus_scalar", "_mul_scalar", "Convolution", "BatchNorm", "LeakyReLU", "FullyConnected", "BatchNorm",
    ]  # fmt: skip
    assert oldest.heads == ((19, 0), (23, 0))


def test_before_nnvm_running_statistics_were_not_listed() -> None:
    nodes = [{"op": "null", "name": name, "inputs": []} for name in ("data", "bn_gamma", "bn_beta")]
    norm = {"op": "BatchNorm", "name": "bn", "param": {"eps": "0.1"}, "inputs": [[0, 0], [1, 0], [2, 0]]}
    relu = {"op": "Activation", "name": "act", "attr": {"act_type": "relu"}, "inputs": [[3, 0]]}
    graph = symbol.parse({"nodes": [*nodes, norm, relu], "heads": [[4, 0]]})
    assert [node.name for node in graph.nodes] == [
        "data", "bn_gamma", "bn_beta", "bn_moving_mean", "bn_moving_var", "bn", "act",
    ]  # fmt: skip
    assert graph.nodes[5].inputs == ((0, 0), (1, 0), (2, 0), (3, 0), (4, 0))
    assert graph.nodes[6].inputs == ((5, 0),)
    assert graph.heads == ((6, 0),)


NULL = {"op": "null", "name": "data", "inputs": []}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("[]", "it has no list of nodes"),
        ("{", "Expecting property name"),
        ("[" * 100_000, "is no network of MXNet's"),
        ({"nodes": {}}, "it has no list of nodes"),
        ({"nodes": [], "heads": []}, "it has no outputs"),
        ({"nodes": [1], "heads": []}, "node 0 is no mapping"),
        ({"nodes": [{"op": 1, "name": "a"}], "heads": []}, "node 0 has no operator and name"),
        ({"nodes": [{**NULL, "attrs": [1]}], "heads": []}, "the attributes of 'data' are no mapping"),
        ({"nodes": [{**NULL, "inputs": [[0, 0]]}], "heads": []}, "name the node 0, which does not come before"),
        ({"nodes": [{**NULL, "inputs": [[-1, 0]]}], "heads": []}, "the inputs of 'data' are not pairs of numbers"),
        ({"nodes": [{**NULL, "inputs": 3}], "heads": []}, "the inputs of 'data' are no list"),
        ({"nodes": [NULL], "heads": [[5, 0]]}, "heads name the node 5, which does not come before"),
    ],
)
def test_what_is_no_network_is_refused_in_a_sentence(tmp_path: Path, document: Any, says: str) -> None:
    path = tmp_path / "a-symbol.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    with pytest.raises(ModelError) as raised:
        symbol.read(path)
    assert says in str(raised.value)


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "a-symbol.json"
    with path.open("wb") as stream:
        stream.truncate(symbol.LARGEST + 1)
    with pytest.raises(ModelError, match="is larger than a network can be"):
        symbol.read(path)


@pytest.mark.parametrize("text", ["(3, x)", "1.5", "(1" + ",1" * 3, "nan"])
def test_attributes_that_are_not_what_they_must_be_name_their_layer(text: str) -> None:
    node = symbol.Node("Convolution", "conv0", {"kernel": text, "no_bias": "maybe", "eps": "x"}, ())
    for read in (lambda: attributes_pair(node), lambda: node.flag("no_bias"), lambda: node.number("eps", 0)):
        with pytest.raises(ModelError, match=r"The layer conv0 \(Convolution\) has \w+="):
            read()


def attributes_pair(node: symbol.Node) -> Any:
    from zoo_mxnet.attributes import pair

    return pair(node, "kernel")


# ------------------------------------------------------------------------------------------------- the two files


def test_a_model_is_found_by_either_file_or_what_their_names_begin_with(fixtures: Path, tmp_path: Path) -> None:
    for name in ("tiny_arcface-0000.params", "tiny_arcface-symbol.json"):
        shutil.copy(fixtures / "written_by_originals" / name, tmp_path)
    shutil.copy(tmp_path / "tiny_arcface-0000.params", tmp_path / "tiny_arcface-0012.params")
    shutil.copy(tmp_path / "tiny_arcface-0000.params", tmp_path / "tiny_arcface_2-0013.params")
    symbol_path, last = tmp_path / "tiny_arcface-symbol.json", tmp_path / "tiny_arcface-0012.params"
    assert files.files(tmp_path / "tiny_arcface-0000.params") == (symbol_path, tmp_path / "tiny_arcface-0000.params")
    for path in (symbol_path, tmp_path / "tiny_arcface"):
        assert files.files(path) == (symbol_path, last)
        assert sniff(path)[0] == 0.95
    assert files.tensors(symbol_path)["arg:pre_fc1_weight"] == (6, 144)
    assert sniff(last)[0] == 0.95
    assert sniff(tmp_path / "tiny") == (0.0, "there is no such file")


def test_a_missing_file_is_named(fixtures: Path, tmp_path: Path) -> None:
    for name in ("tiny_arcface-0000.params", "tiny_arcface-symbol.json"):
        alone = tmp_path / name[-6:].strip(".")
        alone.mkdir()
        shutil.copy(fixtures / "written_by_originals" / name, alone)
    with pytest.raises(ModelError, match=r"stands in a file tiny_arcface-symbol.json beside it, which is not there"):
        load(tmp_path / "params" / "tiny_arcface-0000.params")
    with pytest.raises(ModelError, match=r"there is no file of weights, such as tiny_arcface-0000.params"):
        load(tmp_path / "l.json" / "tiny_arcface-symbol.json")
    oldest = fixtures / "mxnet" / "legacy_ndarray.v0"
    assert files.files(oldest) == (oldest,)
    assert len(files.tensors(oldest)) == len(params.read(oldest)) > 1
    with pytest.raises(ModelError, match=r"legacy_ndarray.v0 holds weights alone"):
        load(oldest)


def test_other_files_are_not_taken_for_mxnets(fixtures: Path, tmp_path: Path) -> None:
    (tmp_path / "b-symbol.json").write_text('{"other": 1}')
    for path in (tmp_path / "b-symbol.json", fixtures / "images" / "insightface_t1.jpg", tmp_path):
        assert sniff(path)[0] == 0


# ------------------------------------------------------------------------------------------------------ networks


def test_mxnets_own_answer_is_ours(fixtures: Path) -> None:
    recorded = np.load(fixtures / "written_by_originals" / "tiny_arcface_io.npz")
    network = load(fixtures / "written_by_originals" / "tiny_arcface-0000.params")
    assert (network.normalises, network.channels, network.outputs) == (True, 3, ("fc1_output",))
    close(executed(network, recorded["x"])[0], recorded["y"])
    close(reference.run(network, recorded["x"])[0], recorded["y"])


@pytest.mark.parametrize(
    ("name", "size", "shapes"),
    [
        ("det1", (61, 50), [(2, 4, 26, 20), (2, 2, 26, 20)]),
        ("det2", (24, 24), [(2, 4), (2, 2)]),
        ("det3", (48, 48), [(2, 10), (2, 4), (2, 2)]),
    ],
)
def test_mtcnn_runs(fixtures: Path, name: str, size: tuple[int, int], shapes: list[tuple[int, ...]]) -> None:
    network = load(fixtures / "mxnet" / f"mtcnn_{name}-symbol.json")
    images = np.random.default_rng(0).uniform(-1, 1, (2, 3, *size)).astype(np.float32)
    got, wanted = executed(network, images), reference.run(network, images)
    assert [array.shape for array in got] == shapes
    for one, other in zip(got, wanted, strict=True):
        close(one, other)
    np.testing.assert_allclose(got[-1].sum(1), 1, atol=1e-5)


BUILT: dict[str, Callable[[], made.Model]] = {
    "arcface_lresnet34e_ir": lambda: made.lresnet((1, 1, 1, 1), embedding=32),
    "arcface_y1": lambda: made.mobilefacenet((1, 1, 1, 1)),
    "arcface_m1": lambda: made.lmobilenet(16),
    "arcface_y1 of another eps": lambda: made.mobilefacenet((1, 1, 2, 1)),
}


@pytest.mark.parametrize("name", BUILT)
def test_torch_onnx_and_numpy_agree(tmp_path: Path, name: str) -> None:
    torch = pytest.importorskip("torch", reason="the networks are torch's")
    from zoo_mxnet.totorch import to_torch

    from zoo.models.edges import network as torch_network
    from zoo.networks.state import load_state

    torch.set_num_threads(1)
    model, card = BUILT[name](), catalogue().cards[name.split()[0]]
    if "another" in name:
        for node in model.nodes:
            node.get("attrs", {}).update({"eps": "0.01"} if node["op"] == "BatchNorm" else {})
    path = model.save(tmp_path / "model")
    written = to_torch(edge(path, tmp_path, card, "model.pth"))
    assert written.architecture == card.architecture
    network = torch_network(written)
    load_state(network, torch.load(tmp_path / "model.pth", weights_only=True), "model.pth")
    images = np.random.default_rng(1).integers(0, 256, (2, 3, 112, 112)).astype(np.float32)
    with torch.no_grad():
        (got,) = network(torch.from_numpy(images))
    loaded = load(path)
    (wanted,) = executed(loaded, images)
    assert np.abs(wanted).max() > 0.1
    close(got.numpy(), wanted)
    close(reference.run(loaded, images)[0], wanted)


@pytest.mark.parametrize("name", ["r50", "y1", "m1"])
def test_synthesised_networks_have_the_originals_arrays(fixtures: Path, name: str) -> None:
    rows = (fixtures / "keys" / f"mxnet_{name}.tsv").read_text("utf-8").splitlines()
    wanted = {key: tuple(map(int, shape.split("x"))) for key, shape in (row.split("\t")[:2] for row in rows)}
    build = {"r50": lambda: made.lresnet((3, 4, 14, 3)), "y1": made.mobilefacenet, "m1": made.lmobilenet}[name]
    assert {key: value.shape for key, value in build().arrays.items()} == wanted


@pytest.mark.slow
def test_a_whole_lresnet50_becomes_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the networks are torch's")
    from zoo_mxnet.totorch import to_torch

    from zoo.models.edges import network as torch_network
    from zoo.networks.state import load_state

    torch.set_num_threads(1)
    card = catalogue().cards["arcface_lresnet50e_ir"]
    path = made.lresnet((3, 4, 14, 3)).save(tmp_path / "model")
    network = torch_network(to_torch(edge(path, tmp_path, card, "model.pth")))
    load_state(network, torch.load(tmp_path / "model.pth", weights_only=True), "model.pth")
    images = np.random.default_rng(1).integers(0, 256, (1, 3, 112, 112)).astype(np.float32)
    with torch.no_grad():
        (got,) = network(torch.from_numpy(images))
    close(got.numpy(), executed(load(path), images)[0], 1e-4)


def test_onnx_keeps_names_and_says_what_stays_open(tmp_path: Path) -> None:
    path = made.mobilefacenet((1, 1, 1, 1)).save(tmp_path / "model")
    card = replace(catalogue().cards["arcface_y1"], outputs=("embedding",))
    assert toonnx.to_onnx(edge(path, tmp_path, card, "model.onnx", opset=17)) == card
    model = onnx.load(tmp_path / "model.onnx")
    sizes = [dim.dim_value or dim.dim_param for dim in model.graph.input[0].type.tensor_type.shape.dim]
    assert (model.graph.input[0].name, sizes) == ("data", ["batch", 3, 112, 112])
    assert [value.name for value in model.graph.output] == ["fc1_output"]
    # insightface's programs look for these among the first eight nodes and then leave the pixels as they are.
    assert [node.name for node in model.graph.node[:2]] == ["_minusscalar0", "_mulscalar0"]
    assert (model.opset_import[0].version, model.graph.node[-1].name) == (17, "fc1")


def test_a_card_that_normalises_once_more_is_refused(tmp_path: Path) -> None:
    path = made.mobilefacenet((1, 1, 1, 1)).save(tmp_path / "model")
    with pytest.raises(ModelError, match="normalises pixels itself, and the card arcface_r50 asks for it once more"):
        toonnx.to_onnx(edge(path, tmp_path, catalogue().cards["arcface_r50"], "model.onnx"))
    assert not (tmp_path / "model.onnx").exists()


def test_training_layers_are_cut_off_or_named(tmp_path: Path) -> None:
    model = made.Model()
    model.norm(model.dense(model.op("Flatten", "flat", model.data), "pre_fc1", (4, 12)), "fc1", 4)
    model.op("arccos", "margin", len(model.nodes) - 1)
    path = model.save(tmp_path / "model")
    images = np.ones((1, 3, 2, 2), np.float32)
    with pytest.raises(
        ModelError, match=r"The layer margin is of MXNet's operator arccos, .* output=LAYER stops before"
    ):
        MxnetSession(path)
    with pytest.raises(ModelError, match="The layer margin is of MXNet's operator arccos"):
        executed(load(path), images)
    cut = load(path, "fc1")
    close(executed(cut, images)[0], reference.run(cut, images)[0])
    with pytest.raises(UsageError, match=r"The network has no layer 'fc2'. Did you mean fc1\?"):
        load(path, "fc2")


def test_arrays_that_do_not_fit_the_network_are_named(tmp_path: Path) -> None:
    model = made.mobilefacenet((1, 1, 1, 1))
    del model.arrays["arg:conv_6sep_relu_gamma"]
    path = model.save(tmp_path / "model")
    with pytest.raises(ModelError, match=r"lacks the array conv_6sep_relu_gamma of the network in model-symbol.json"):
        load(path)
    model.arrays["arg:conv_6sep_relu_gamma"] = np.zeros(3, np.float32)
    path = model.save(tmp_path / "model")
    with pytest.raises(ModelError, match=r"cannot process an input of 1x3x112x112"):
        MxnetSession(path).run({"data": np.zeros((1, 3, 112, 112))})


def test_a_network_that_no_method_knows_can_become_onnx_alone(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the way leads to torch")
    from zoo_mxnet.totorch import to_torch

    model = made.Model()
    model.dense(model.op("Flatten", "flat", model.data), "mine", (4, 12))
    path = model.save(tmp_path / "model")
    with pytest.raises(ModelError, match="is none that arcface knows in PyTorch; it can become ONNX"):
        to_torch(edge(path, tmp_path, catalogue().cards["arcface_y1"], "model.pth"))
    assert not (tmp_path / "model.pth").exists()


def test_the_reference_is_a_runtime(fixtures: Path) -> None:
    recorded = np.load(fixtures / "written_by_originals" / "tiny_arcface_io.npz")
    path = fixtures / "written_by_originals" / "tiny_arcface-symbol.json"
    session = MxnetSession(path, threads=1, device="cpu")
    assert session.inputs[0].name == "data"
    assert session.inputs[0].shape == (None, 3, None, None)
    close(session.run({"data": recorded["x"]})[0], recorded["y"])
    with pytest.raises(ModelError, match="cannot process an input of 1x3x9x9"):
        session.run({"data": np.zeros((1, 3, 9, 9))})
    with pytest.raises(RuntimeMissingError, match="runs on the cpu only"):
        MxnetSession(path, device="cuda")
    with pytest.raises(UsageError, match="has no device 'tpu'"):
        MxnetSession(path, device="tpu")
