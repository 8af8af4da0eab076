"""The ways out of TensorFlow: checkpoints become graphs, graphs become ONNX and TFLite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.errors import ModelError
from zoo.models import onnxnames
from zoo.models.edges import Edge
from zoo.specs import ModelCard
from zoo_tensorflow import checkpoint, graphs
from zoo_tensorflow.graphs import Graph, Network
from zoo_tensorflow.options import OnnxOptions
from zoo_tensorflow.quiet import hushed, tensorflow


def checkpoint_to_tf_graph(edge: Edge) -> ModelCard:
    """A checkpoint as a frozen graph, with the original names of weights, input and output."""
    network: Network = edge.network()
    graph = sized(graphs.read_checkpoint(edge.source, network), edge)
    edge.target.write_bytes(graph.definition.SerializeToString(deterministic=True))
    return _settled(network, edge)


def checkpoint_to_saved_model(edge: Edge) -> ModelCard:
    """A checkpoint as a SavedModel, whose variables have the original names, and whose one signature gives the outputs
    by the card's names."""
    tf = tensorflow()
    network: Network = edge.network()
    weights = graphs.fitting(network, checkpoint.arrays(edge.source), edge.source.name)
    graph = sized(graphs.of_network(network, weights, edge.source.name), edge)
    ((name, shape),) = ((info.name, info.shape) for info in graph.infos(graph.inputs))
    outputs = output_names(graph, edge.card)
    with hushed():
        module = tf.Module()
        module.weights = {each: tf.Variable(array, trainable=False, name=each) for each, array in weights.items()}
        signature = [tf.TensorSpec(shape, tf.float32, name)]

        def serve(images: Any) -> Mapping[str, Any]:
            return dict(zip(outputs, network(images, module.weights), strict=True))

        module.serve = tf.function(serve, input_signature=signature, autograph=False)
        tf.saved_model.save(module, str(edge.target), signatures={graphs.SIGNATURE: module.serve})
    # A fingerprint is of no use to who loads it, and has a random number in it: the same input gives the same bytes.
    (edge.target / "fingerprint.pb").unlink(missing_ok=True)
    return _settled(network, edge)


def to_onnx(edge: Edge) -> ModelCard:
    """A frozen graph or a SavedModel as ONNX, with the input's layout as it is. Raises `ModelError` for operations that
    ONNX does not have."""
    graph = sized(read(edge.source), edge)
    options = edge.options or OnnxOptions()
    with hushed():
        tensorflow()
        import onnx
        import tf2onnx

        try:
            model, _ = tf2onnx.convert.from_graph_def(
                graph.definition,
                name=edge.card.id,
                input_names=list(graph.inputs.values()),
                output_names=list(graph.outputs.values()),
                opset=options.opset,
                tensors_to_rename=_renamed(graph, edge.card),
            )
            onnx.checker.check_model(model)
        except Exception as error:  # tf2onnx raises whatever its handlers of operations raise
            raise ModelError(f"{edge.source.name} cannot become ONNX: {_reason(error)}.") from None
    onnxnames.renumber(model.graph)
    onnxnames.name_sizes(model.graph, _names(edge))
    edge.target.write_bytes(model.SerializeToString(deterministic=True))
    return edge.card


def to_tflite(edge: Edge) -> ModelCard:
    """A frozen graph or a SavedModel as TFLite with float32 numbers. Raises `ModelError` for operations that TFLite
    does not have."""
    graph = sized(read(edge.source), edge)
    tf = tensorflow()

    def network() -> list[Any]:
        found = tf.import_graph_def(graph.definition, name="", return_elements=list(graph.outputs.values()))
        names = output_names(graph, edge.card)
        return [tf.identity(output, name) for output, name in zip(found, names, strict=True)]

    with hushed():
        try:
            wrapped = tf.compat.v1.wrap_function(network, [])
            inputs = [wrapped.graph.as_graph_element(name) for name in graph.inputs.values()]
            function = wrapped.prune(inputs, wrapped.outputs)
            data = tf.lite.TFLiteConverter.from_concrete_functions([function], wrapped).convert()
        except Exception as error:  # the converter raises classes of its own, which are not public
            raise ModelError(f"{edge.source.name} cannot become TFLite: {_reason(error)}.") from None
    edge.target.write_bytes(data)
    return edge.card


def read(path: Path) -> Graph:
    """The graph in a frozen graph's file or a SavedModel. Raises `ModelError`."""
    whole = path.is_dir() or path.name == "saved_model.pb"
    return graphs.read_saved_model(path) if whole else graphs.read_frozen(path)


def sized(graph: Graph, edge: Edge) -> Graph:
    """The graph with those sizes of its input open that are asked for and can be; the others are fixed."""
    infos = graph.infos(graph.inputs)
    shapes = {info.name: _sizes(info.shape, edge) for info in infos}
    if all(shapes[info.name] == info.shape for info in infos):
        return graph
    made = graph.with_inputs(shapes)
    fixed = [info.name for info in made.infos(made.outputs) if info.shape and info.shape[0] is not None]
    if not fixed or "batch" not in edge.dynamic:
        return made
    edge.note(f"{edge.source.name} has the number of images fixed inside ({fixed[0]}), so it stays as it is.")
    return sized(graph, replace(edge, dynamic=edge.dynamic - {"batch"}))


def output_names(graph: Graph, card: ModelCard) -> list[str]:
    """The names of the outputs: the card's where there are as many, else the graph's own."""
    return (
        list(card.outputs)
        if len(card.outputs) == len(graph.outputs)
        else [name.rpartition("/")[2] for name in graph.outputs]
    )


def _sizes(shape: tuple[int | None, ...], edge: Edge) -> tuple[int | None, ...]:
    """The sizes of an input of images. A size that the source has fixed stays so, but for the number of images."""
    if len(shape) != 4:
        return shape
    wanted = dict(zip(("width", "height"), edge.size, strict=True))
    sizes = dict(zip(_names(edge), shape, strict=True))
    sizes["batch"] = None if "batch" in edge.dynamic else sizes["batch"] or 1
    for name in ("height", "width"):
        if name not in edge.dynamic:
            sizes[name] = sizes[name] or wanted[name]
    return tuple(sizes.values())


def _names(edge: Edge) -> tuple[str, str, str, str]:
    """What the four sizes of an input of images are."""
    nchw = edge.card.preprocess.layout == "nchw"
    return ("batch", "channels", "height", "width") if nchw else ("batch", "height", "width", "channels")


def _renamed(graph: Graph, card: ModelCard) -> dict[str, str]:
    inputs = {tensor: name for name, tensor in graph.inputs.items()}
    return inputs | dict(zip(graph.outputs.values(), output_names(graph, card), strict=True))


def _settled(network: Network, edge: Edge) -> ModelCard:
    folder = checkpoint.locate(edge.source).parent
    return replace(edge.card, network=dict(network.settled(folder)))


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300].rstrip(".")
