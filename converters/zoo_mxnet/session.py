"""MXNet models executed in NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.runtimes import TensorInfo
from zoo.runtimes.sessions import failed, require_cpu
from zoo_mxnet import reference
from zoo_mxnet.network import load


class MxnetSession:
    """A `zoo.runtimes.Session` of an MXNet model; the number of threads is NumPy's own affair.

    Raises `ModelError` for files that are no MXNet model, or have an operator that the zoo does not know.
    """

    runtime = "mxnet"
    device = "cpu"

    def __init__(self, path: Path, *, threads: int = 1, device: str = "auto") -> None:
        require_cpu(self.runtime, device)
        self._path, self._network = path, load(path)
        reference.require_known(self._network)
        data = self._network.graph.nodes[self._network.data].name
        self.inputs = (TensorInfo(data, (None, self._network.channels, None, None)),)
        self.outputs = tuple(TensorInfo(name, ()) for name in self._network.outputs)

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See `zoo.runtimes.Session.run`."""
        images = np.ascontiguousarray(feeds[self.inputs[0].name], np.float32)
        try:
            return list(reference.run(self._network, images))
        except (ValueError, IndexError) as error:
            raise failed(self._path, feeds, error) from error
