"""MXNet's own answers against ours: networks and operators, executed by MXNet 1.9.1, converted and in NumPy.

``ZOO_ORACLES`` names the folder of the oracles' environments; see `tests.oracles.test_mxnet`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo_mxnet import params, reference, toonnx
from zoo_mxnet.network import Network, load

from tests.converters import mxnet_models as made
from zoo.errors import ModelError

FORWARD = """
import sys
import mxnet as mx
import numpy as np
prefix, images, out = sys.argv[1:]
symbol, arguments, auxiliary = mx.model.load_checkpoint(prefix, 0)
data = mx.nd.array(np.load(images))
labels = {name: mx.nd.zeros(len(data)) for name in symbol.list_arguments() if name.endswith("label")}
bound = symbol.bind(mx.cpu(), {**arguments, **labels, "data": data}, grad_req="null", aux_states=auxiliary)
np.savez(out, *[output.asnumpy() for output in bound.forward(is_train=False)])
"""

SAVE = """
import sys
import mxnet as mx
import numpy as np
rng = np.random.default_rng(0)
arrays = {kind: mx.nd.array(rng.integers(0, 2, (2, 3)), dtype=kind) for kind in sys.argv[2:]}
mx.nd.save(sys.argv[1], arrays)
np.savez(sys.argv[1] + ".npz", **{name: array.asnumpy() for name, array in arrays.items()})
"""


@pytest.fixture(scope="module")
def python() -> str:
    folder = os.environ.get("ZOO_ORACLES", "")
    path = Path(folder) / "mxnet" / "bin" / "python"
    if not folder or not path.exists():
        pytest.skip("MXNet is not there; ZOO_ORACLES must name a folder with its environment, mxnet")
    return str(path)


def ask(python: str, program: str, *arguments: Any) -> None:
    command = [python, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr


def forward(python: str, weights: Path, images: Any) -> list[Any]:
    """What MXNet answers."""
    folder, prefix = weights.parent, weights.name.removesuffix("-0000.params")
    np.save(folder / "images.npy", images)
    ask(python, FORWARD, folder / prefix, folder / "images.npy", folder / "out.npz")
    answers = np.load(folder / "out.npz")
    return [answers[name] for name in answers.files]


def converted(network: Network, images: Any) -> list[Any]:
    engine = pytest.importorskip("onnxruntime", reason="it runs what was converted")
    model = toonnx.convert(network, images.shape[3:1:-1], frozenset({"batch"}), 13)
    session = engine.InferenceSession(model.SerializeToString())
    outputs: list[Any] = session.run(None, {session.get_inputs()[0].name: images})
    return outputs


def close(got: Any, wanted: Any, tolerance: float = 1e-5) -> None:
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * max(1, np.abs(wanted).max()))


NETWORKS: dict[str, Callable[[], made.Model]] = {
    "arcface_lresnet50e_ir": lambda: made.lresnet((3, 4, 14, 3)),
    "arcface_y1": made.mobilefacenet,
    "arcface_m1": made.lmobilenet,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_insightfaces_networks_give_what_mxnet_gives(python: str, tmp_path: Path, name: str) -> None:
    torch = pytest.importorskip("torch", reason="the networks are torch's")
    from zoo_arcface.names import translate
    from zoo_arcface.network import build

    from zoo.networks.state import load_state

    images = np.random.default_rng(2).integers(0, 256, (2, 3, 112, 112)).astype(np.float32)
    weights = NETWORKS[name]().save(tmp_path / "model")
    (wanted,), network = forward(python, weights, images), load(weights)
    close(converted(network, images)[0], wanted, 1e-4)
    close(reference.run(network, images)[0], wanted, 1e-4)
    found = translate(network.arrays)
    assert found is not None
    assert found[:2] == (name, {})
    ours = build(*found[:2])
    load_state(ours, found[2], "model-0000.params")
    with torch.no_grad():
        close(ours(torch.from_numpy(images))[0].numpy(), wanted, 1e-4)


@pytest.mark.parametrize(("name", "size"), [("det1", (61, 50)), ("det2", (24, 24)), ("det3", (48, 48))])
def test_mtcnn_gives_what_mxnet_gives(
    python: str, fixtures: Path, tmp_path: Path, name: str, size: tuple[int, int]
) -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (2, 3, *size)).astype(np.float32)
    network = load(fixtures / "mxnet" / f"mtcnn_{name}-symbol.json")
    for ending, kept in (("symbol.json", "symbol.json"), ("0001.params", "0000.params")):
        (tmp_path / f"model-{kept}").write_bytes((fixtures / "mxnet" / f"mtcnn_{name}-{ending}").read_bytes())
    theirs = forward(python, tmp_path / "model-0000.params", images)
    for wanted, one, other in zip(theirs, converted(network, images), reference.run(network, images), strict=True):
        close(one, wanted)
        close(other, wanted)


def kernel(size: int, stride: int = 1, pad: int = 0) -> dict[str, Any]:
    return {"kernel": (size, size), "stride": (stride, stride), "pad": (pad, pad)}


def one(op: str, **attrs: Any) -> Callable[[made.Model], int]:
    return lambda model: model.op(op, "layer", model.data, **attrs)


def two(op: str, **attrs: Any) -> Callable[[made.Model], int]:
    return lambda model: model.op(
        op, "layer", model.data, model.op("_mul_scalar", "half", model.data, scalar=0.5), **attrs
    )


def weighted(op: str, *shapes: tuple[int, ...], **attrs: Any) -> Callable[[made.Model], int]:
    def build(model: made.Model) -> int:
        nulls = [model.null(f"w{i}", model.random.normal(size=shape)) for i, shape in enumerate(shapes)]
        return model.op(op, "layer", model.data, *nulls, **attrs)

    return build


def flat(build: Callable[[made.Model], int]) -> Callable[[made.Model], int]:
    """The same on two dimensions."""

    def flattened(model: made.Model) -> int:
        model.data = model.op("Flatten", "flat", model.data)
        return build(model)

    return flattened


def cropped(model: made.Model) -> int:
    small = model.op("Pooling", "small", model.data, pool_type="max", **kernel(2, 2))
    large = model.op("UpSampling", "large", model.data, scale=2, sample_type="nearest", num_args=1)
    return model.op("Crop", "layer", large, small, num_args=2)


POOLS: Mapping[str, Callable[[made.Model], int]] = {
    f"pooling {kind} {convention} {size} {stride} {pad}{' not padding' if not counted else ''}": one(
        "Pooling", pool_type=kind, pooling_convention=convention, count_include_pad=counted, **kernel(size, stride, pad)
    )
    for kind in ("max", "avg")
    for convention in ("valid", "full")
    for size, stride, pad in ((2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 1, 1), (3, 3, 0), (5, 3, 2))
    for counted in ((True, False) if kind == "avg" else (True,))
}
OPERATORS: Mapping[str, Callable[[made.Model], int]] = {
    **POOLS,
    "global max": one("Pooling", pool_type="max", global_pool=True, kernel=(1, 1)),
    "global average": one("Pooling", pool_type="avg", global_pool=True, kernel=(7, 7)),
    "convolution": weighted("Convolution", (4, 3, 3, 3), (4,), num_filter=4, **kernel(3, 2, 1)),
    "convolution dilated": weighted(
        "Convolution", (6, 3, 3, 2), num_filter=6, no_bias=True, kernel=(3, 2), dilate=(2, 1), pad=(2, 0)
    ),
    "convolution in groups": weighted(
        "Convolution", (6, 1, 3, 3), num_filter=6, num_group=3, no_bias=True, **kernel(3, 1, 1)
    ),
    "batch norm": lambda model: model.norm(model.data, "layer", 3),
    "batch norm of held gamma": lambda model: model.norm(model.data, "layer", 3, True, eps=0.1, use_global_stats=True),
    "batch norm of two dimensions": flat(lambda model: model.norm(model.data, "layer", 3 * 9 * 8, True)),
    **{f"activation {kind}": one("Activation", act_type=kind) for kind in reference.ACTIVATIONS},
    **{name: one(name) for name in ("relu", "sigmoid", "tanh", "Flatten", "_copy", "BlockGrad", "Dropout")},
    "prelu": weighted("LeakyReLU", (3,), act_type="prelu"),
    "prelu of one slope": weighted("LeakyReLU", (1,), act_type="prelu"),
    "prelu of two dimensions": flat(weighted("LeakyReLU", (3 * 9 * 8,), act_type="prelu")),
    "leaky": one("LeakyReLU", act_type="leaky", slope=0.1),
    "leaky by default": one("LeakyReLU"),
    "elu": one("LeakyReLU", act_type="elu", slope=0.3),
    "rrelu": one("LeakyReLU", act_type="rrelu", lower_bound=0.1, upper_bound=0.3),
    "dense": weighted("FullyConnected", (5, 216), (5,), num_hidden=5),
    "dense without bias": weighted("FullyConnected", (5, 216), num_hidden=5, no_bias=True),
    "dense of the last dimension": weighted("FullyConnected", (5, 8), (5,), num_hidden=5, flatten=False),
    **{f"two {name}": two(name) for name in ("elemwise_add", "elemwise_sub", "elemwise_mul", "_Plus", "broadcast_div")},
    "add_n": two("add_n", num_args=2),
    "concat": two("Concat", num_args=2, dim=1),
    "concat of rows": two("Concat", num_args=2, dim=2),
    "broadcast_mul": weighted("broadcast_mul", (1, 3, 1, 1)),
    **{
        f"{name} by a number": one(name, scalar=1.5)
        for name in ("_plus_scalar", "_MinusScalar", "_rminus_scalar", "_mul_scalar", "_div_scalar", "_RDivScalar")
    },
    "maximum": one("_maximum_scalar", scalar=0.2),
    "minimum": one("_minimum_scalar", scalar=0.2),
    "clip": one("clip", a_min=-0.5, a_max=0.25),
    "softmax": one("softmax"),
    "softmax of channels": one("softmax", axis=1),
    "softmax activation of channels": one("SoftmaxActivation", mode="channel"),
    "softmax activation": flat(one("SoftmaxActivation")),
    "softmax output": flat(lambda model: model.op("SoftmaxOutput", "layer", model.data, model.null("layer_label"))),
    **{f"l2 {mode}": one("L2Normalization", mode=mode) for mode in ("instance", "channel", "spatial")},
    "l2 of two dimensions": flat(one("L2Normalization", eps=0.01)),
    "reshape": one("Reshape", shape=(0, 9, -1, 0)),
    "reshape to two": one("Reshape", shape=(0, -1)),
    "transpose": one("transpose", axes=(0, 2, 3, 1)),
    "upsampling": one("UpSampling", scale=2, sample_type="nearest", num_args=1),
    "crop": cropped,
}
REFUSED = {
    "pooling avg full 3 2 1",
    "pooling avg full 3 1 1",
    "pooling avg full 5 3 2",
}
"""What ONNX has other rules for: NumPy alone gives MXNet's answer."""


@pytest.fixture(scope="module")
def answers(python: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Any, Any]]:
    """MXNet's answer to each operator, all of them asked at once, with the model and the images."""
    folder = tmp_path_factory.mktemp("operators")
    images = np.random.default_rng(3).normal(size=(2, 3, 9, 8)).astype(np.float32)
    np.save(folder / "images.npy", images)
    paths = {}
    for number, (name, build) in enumerate(OPERATORS.items()):
        model = made.Model(number)
        paths[name] = model.save(folder / f"m{number}", build(model))
    loop = FORWARD.replace("prefix, images, out = sys.argv[1:]", "folder, count = sys.argv[1], int(sys.argv[2])")
    head, _, body = loop.partition("symbol, arguments")
    each = "".join(f"    {line}\n" for line in ("symbol, arguments" + body).splitlines())
    paired = "    prefix, images, out = f'{folder}/m{i}', f'{folder}/images.npy', f'{folder}/m{i}.npz'\n"
    ask(python, f"{head}for i in range(count):\n{paired}{each}", folder, len(paths))
    found = {}
    for number, (name, path) in enumerate(paths.items()):
        found[name] = (path, images, np.load(folder / f"m{number}.npz")["arr_0"])
    return found


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_give_what_mxnet_gives(answers: dict[str, tuple[Path, Any, Any]], name: str) -> None:
    path, images, wanted = answers[name]
    network = load(path)
    close(reference.run(network, images)[0], wanted)
    if name in REFUSED:
        with pytest.raises(ModelError, match="has pooling_convention=full, which the zoo does not convert"):
            converted(network, images)
    else:
        close(converted(network, images)[0], wanted)


def test_arrays_of_every_type_that_mxnet_writes_are_read(python: str, tmp_path: Path) -> None:
    kinds = ("float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool")
    ask(python, SAVE, tmp_path / "a.params", *kinds)
    found, wanted = params.read(tmp_path / "a.params"), np.load(tmp_path / "a.params.npz")
    assert set(found) == set(kinds)
    for name, value in found.items():
        assert value.dtype == wanted[name].dtype == np.dtype(name)
        np.testing.assert_array_equal(value, wanted[name])
