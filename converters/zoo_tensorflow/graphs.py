"""A network as a frozen graph, which is what every way out of TensorFlow starts from, whatever the file was."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from zoo.errors import ModelError
from zoo.runtimes import TensorInfo
from zoo_tensorflow import checkpoint, operations, savedmodel
from zoo_tensorflow.cards import NODE
from zoo_tensorflow.quiet import hushed, tensorflow

SIGNATURE = "serving_default"
_IDLE = ("Const", "NoOp", "Assert", "Placeholder", "PlaceholderWithDefault")


class Network(Protocol):
    """A network without weights, as methods whose framework is TensorFlow build one."""

    @property
    def inputs(self) -> Mapping[str, tuple[int | None, ...]]:
        """Names and shapes of the float32 inputs; None is a size that is open."""

    @property
    def variables(self) -> Mapping[str, tuple[int, ...]]:
        """Names and shapes of the tensors that a checkpoint must hold."""

    def __call__(self, images: Any, tensors: Mapping[str, Any]) -> tuple[Any, ...]:
        """Add the network, as it is for inference, to the current graph; `tensors` are by the names of `variables`."""

    def settled(self, folder: Path) -> Mapping[str, Any]:
        """The arguments that make this network, in the words of what lies beside the checkpoint in `folder`."""


@dataclass(frozen=True)
class Graph:
    """A graph whose weights are constants. `definition` is a ``GraphDef``; of inputs and outputs the keys are the names
    that people see, the values those of tensors (``input:0``)."""

    definition: Any
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]

    def infos(self, tensors: Mapping[str, str]) -> tuple[TensorInfo, ...]:
        """Names and shapes of `tensors`, which are `inputs` or `outputs`."""
        graph = self.imported()
        return tuple(TensorInfo(name, _shape(graph.get_tensor_by_name(tensor))) for name, tensor in tensors.items())

    def imported(self) -> Any:
        """A new ``tf.Graph`` with it. Raises `ModelError` for a definition that TensorFlow cannot take."""
        tf = tensorflow()
        with tf.Graph().as_default() as graph:
            try:
                tf.import_graph_def(self.definition, name="")
            except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
                raise ModelError(f"TensorFlow cannot take the graph: {' '.join(str(error).split())[:300]}.") from None
        return graph

    def with_inputs(self, shapes: Mapping[str, tuple[int | None, ...]]) -> Graph:
        """The same with other sizes of inputs, by the names that people see.

        A graph of one image may say so in its middle as well, where it reshapes something to ``[1, 1024]``; with any
        number of images at the input it says ``[-1, 1024]``, which is the same for one.
        """
        definition = type(self.definition)()
        definition.CopyFrom(self.definition)
        wanted = {self.inputs[name].partition(":")[0]: shape for name, shape in shapes.items()}
        for node in definition.node:
            if node.name in wanted:
                _set_shape(node, wanted[node.name])
            node.attr.pop("_output_shapes", None)  # what a writer noted for the old sizes
        if any(shape[:1] == (None,) for shape in shapes.values()):
            _free_reshapes(definition)
        return dataclasses.replace(self, definition=definition)


def of_network(network: Network, arrays: Mapping[str, NDArray[Any]], where: str) -> Graph:
    """The graph of a network with its weights. Raises `ModelError` where `arrays`, of the file `where`, do not fit."""
    tf = tensorflow()
    weights = fitting(network, arrays, where)
    ((name, shape),) = network.inputs.items()
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, shape, name=name)
        tensors = {each: tf.constant(array, name=each) for each, array in weights.items()}
        outputs = network(images, tensors)
    named = {output.op.name: output.name for output in outputs}
    return Graph(graph.as_graph_def(), {name: images.name}, named)


def fitting(network: Network, arrays: Mapping[str, NDArray[Any]], where: str) -> dict[str, NDArray[Any]]:
    """Those of `arrays` that are the network's weights, as float32. Raises `ModelError` that names the first which is
    not there or has another shape."""
    found = {}
    for name, shape in network.variables.items():
        if name not in arrays:
            raise ModelError(f"{where} does not fit the network: it lacks {name}.")
        if arrays[name].shape != shape:
            sizes = ["x".join(map(str, each)) for each in (arrays[name].shape, shape)]
            raise ModelError(f"{where} does not fit the network: {name} is {sizes[0]}, where {sizes[1]} is wanted.")
        found[name] = arrays[name].astype("f4")
    return found


def read_checkpoint(path: Path, network: Network) -> Graph:
    """The graph of `network` with the weights of a checkpoint. Raises `ModelError` where they do not fit."""
    return of_network(network, checkpoint.arrays(path), path.name)


def read_frozen(path: Path) -> Graph:
    """A frozen graph: its inputs are the placeholders, its outputs what no other node takes.

    Raises `ModelError` for a file that is damaged, was frozen while training, or does more than compute.
    """
    tf = tensorflow()
    try:
        definition = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {error.strerror or error}.") from None
    except Exception as error:  # protobuf's error has no public class that all of its implementations share
        raise ModelError(f"{path} is damaged or no frozen graph: {error}.") from None
    taken = {name.lstrip("^").partition(":")[0] for node in definition.node for name in node.input}
    ends = [node.name for node in definition.node if node.op not in _IDLE and node.name not in taken]
    return _pruned(definition, ends, path)


def read_saved_model(path: Path) -> Graph:
    """The signature ``serving_default`` of a SavedModel, or its only one, with its variables frozen.

    Raises `ModelError` for a folder that is damaged, or brings more than a network.
    """
    tf = tensorflow()
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    savedmodel.read(path)
    with hushed():
        try:
            loaded = tf.saved_model.load(str(savedmodel.folder_of(path)))
        except Exception as error:  # damage shows as whatever TensorFlow's own reading of it runs into
            raise ModelError(f"{path} is damaged: {' '.join(str(error).split())[:300]}.") from None
        function = _signature(loaded, path)
        _require_network(function, path)
        frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    definition = frozen.graph.as_graph_def()
    _require_computing(definition, frozen.outputs, path)
    names = sorted(function.structured_outputs)
    inputs = {tensor.op.name: tensor.name for tensor in frozen.inputs}
    return Graph(definition, inputs, dict(zip(names, (each.name for each in frozen.outputs), strict=True)))


def _signature(loaded: Any, path: Path) -> Any:
    signatures = {name: function for name, function in loaded.signatures.items() if not name.startswith("__")}
    if SIGNATURE in signatures:
        return signatures[SIGNATURE]
    if len(signatures) != 1:
        raise ModelError(f"{path} has {len(signatures)} signatures, and none of them is {SIGNATURE}.")
    return next(iter(signatures.values()))


def _require_network(function: Any, path: Path) -> None:
    """Look at what a signature runs, before anything folds its constants."""
    definition = function.graph.as_graph_def()
    _require_computing(definition, function.graph.outputs, path, inference=False)


def _require_computing(definition: Any, outputs: Iterable[Any], path: Path, inference: bool = True) -> None:
    functions = operations.function_names(definition)
    for output in outputs:
        nodes = operations.reachable(definition, output.op.name).values()
        operations.require(nodes, operations.NETWORK, str(path), functions)
        if inference:
            operations.require_inference(nodes, str(path))


def _pruned(definition: Any, ends: list[str], path: Path) -> Graph:
    """What of a graph leads to `ends`, with its inputs and outputs."""
    ends = [name for name in ends if name != NODE]
    nodes = {place: node for end in ends for place, node in operations.reachable(definition, end).items()}
    operations.require(nodes.values(), operations.NETWORK, str(path), operations.function_names(definition))
    operations.require_inference(nodes.values(), str(path))
    kept = type(definition)(versions=definition.versions, library=definition.library)
    kept.node.extend(node for node in definition.node if ("", node.name) in nodes)
    inputs = {node.name: f"{node.name}:0" for node in kept.node if node.op == "Placeholder"}
    if not inputs or not ends:
        raise ModelError(f"{path} has no input or no output that can be told: it is no network for inference.")
    graph = Graph(kept, inputs, {name: f"{name}:0" for name in ends})
    graph.imported()
    return graph


def _shape(tensor: Any) -> tuple[int | None, ...]:
    return () if tensor.shape.rank is None else tuple(tensor.shape.as_list())


def _set_shape(node: Any, shape: tuple[int | None, ...]) -> None:
    del node.attr["shape"].shape.dim[:]
    node.attr["shape"].shape.unknown_rank = False
    for size in shape:
        node.attr["shape"].shape.dim.add().size = -1 if size is None else size


def _free_reshapes(definition: Any) -> None:
    """Let reshapes whose constant shape begins with 1 and has no size to infer infer that one."""
    tf = tensorflow()
    constants = {node.name: node for node in definition.node if node.op == "Const"}
    for node in [node for node in definition.node if node.op == "Reshape" and node.input[1] in constants]:
        constant = constants[node.input[1]]
        shape = tf.make_ndarray(constant.attr["value"].tensor)
        if shape.size and shape[0] == 1 and (shape > 0).all():
            freed = definition.node.add()
            freed.CopyFrom(constant)
            freed.name = f"{node.name}/any_number"
            freed.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([-1, *shape[1:]], shape.dtype))
            node.input[1] = freed.name
