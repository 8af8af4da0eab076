"""The data file of libfacedetection executed in PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.models.edges import network
from zoo.networks.state import load_state
from zoo.runtimes import TensorInfo
from zoo.runtimes.sessions import failed, require_cpu
from zoo.specs import ModelCard
from zoo_libfacedetection.folder import state


class DataSession:
    """A `zoo.runtimes.Session` of the card's network with the numbers that a data file holds.

    torch has one number of threads for the whole process, and the session that is opened last sets it. Raises
    `ModelError` for a file that is damaged or is another network's.
    """

    runtime = "libfacedetection"
    device = "cpu"

    def __init__(self, path: Path, *, threads: int = 1, device: str = "auto", card: ModelCard) -> None:
        require_cpu(self.runtime, device)
        if threads > 0:
            torch.set_num_threads(threads)
        self._path, self._network = path, network(card)
        load_state(self._network, state(path), str(path))
        self.inputs = (TensorInfo(card.input, (None, 3, None, None)),)
        levels = len(self._network.config.strides)
        widths = [width for width in (1, 1, 4, 10) for _ in range(levels)]
        named = zip(self._network.outputs, widths, strict=True)
        self.outputs = tuple(TensorInfo(name, (None, None, width)) for name, width in named)

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See `zoo.runtimes.Session.run`: one input (N, 3, H, W) float32."""
        images = np.require(feeds[self.inputs[0].name], np.float32, ["C", "W"])
        try:
            with torch.inference_mode():
                return [output.contiguous().numpy() for output in self._network(torch.from_numpy(images))]
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            raise failed(self._path, feeds, error) from error
