"""TensorFlow's files on TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from zoo.errors import ModelError, RuntimeMissingError, UsageError
from zoo.models.edges import network
from zoo.runtimes.sessions import failed
from zoo.specs import ModelCard
from zoo_tensorflow import edges, graphs, sniff
from zoo_tensorflow.quiet import tensorflow


class TensorFlowSession:
    """A `zoo.runtimes.Session` of TensorFlow: checkpoints with the network of their card, and graphs.

    Raises `ModelError` for files that are damaged or do more than compute, `UsageError` and `RuntimeMissingError` for
    devices that are not there.
    """

    runtime = "tensorflow"

    def __init__(self, path: Path, *, threads: int = 1, device: str = "auto", card: ModelCard | None = None) -> None:
        self._path = path
        graph = _graph(path, card)
        self.device, config = _configured(threads, device)
        self.inputs, self.outputs = graph.infos(graph.inputs), graph.infos(graph.outputs)
        names = edges.output_names(graph, card) if card else list(graph.outputs)
        self.outputs = tuple(type(info)(name, info.shape) for name, info in zip(names, self.outputs, strict=True))
        session = tensorflow().compat.v1.Session(graph=graph.imported(), config=config)
        self._call = session.make_callable(list(graph.outputs.values()), feed_list=list(graph.inputs.values()))

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See `zoo.runtimes.Session.run`."""
        tf = tensorflow()
        try:
            outputs: list[NDArray[Any]] = self._call(*(feeds[info.name] for info in self.inputs))
        except (ValueError, tf.errors.OpError) as error:
            raise failed(self._path, feeds, error) from error
        return outputs


def _graph(path: Path, card: ModelCard | None) -> graphs.Graph:
    if not sniff.checkpoint(path)[0]:
        if not path.exists():
            raise ModelError(f"There is no model file at {path}.")
        return edges.read(path)
    if card is None:
        raise ModelError(f"{path} holds weights alone: a card must say what network they belong to.")
    return graphs.read_checkpoint(path, network(card))


def _configured(threads: int, device: str) -> tuple[str, Any]:
    """The device to run on and how a session is told. The threads within an operation are common to the process, and
    the first session's count holds."""
    tf = tensorflow()
    name, _, index = device.partition(":")
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f"The runtime tensorflow has no device {device!r}; it has: auto, cpu, cuda.")
    cards = tf.config.list_physical_devices("GPU") if name != "cpu" else []
    if name == "cuda" and not cards:
        raise RuntimeMissingError("The device cuda was asked for, but TensorFlow finds no GPU here; leave it out.")
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=1)
    if not cards:
        config.device_count["GPU"] = 0
    config.gpu_options.visible_device_list = index
    config.gpu_options.allow_growth = True
    return ("cuda" if cards else "cpu"), config
