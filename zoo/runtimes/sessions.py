"""What the sessions of all engines check and say alike: for those who write a runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ModelError, RuntimeMissingError, UsageError
from zoo.runtimes import TensorInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LONGEST = 300


def require_cpu(runtime: str, device: str, advice: str = "convert the model to ONNX for cuda") -> None:
    """Raise for a `device` other than the processor, which `runtime` alone runs on: `RuntimeMissingError` with an
    `advice` where it is one of NVIDIA's, `UsageError` for anything else."""
    if device in ("auto", "cpu"):
        return
    if device.partition(":")[0] == "cuda":
        raise RuntimeMissingError(f"The runtime {runtime} runs on the cpu only; {advice}.")
    raise UsageError(f"The runtime {runtime} has no device {device!r}; it has: auto, cpu.")


def require_fit(path: Path, inputs: Iterable[TensorInfo], feeds: Mapping[str, NDArray[Any]]) -> None:
    """Raise `ModelError` where an array has not the shape that the file at `path` declares: some engines compute
    something of it all the same."""
    for info in inputs:
        shape = feeds[info.name].shape
        sides = zip(info.shape, shape, strict=False)
        if len(shape) != len(info.shape) or any(side not in (None, given) for side, given in sides):
            wanted = "x".join("?" if side is None else str(side) for side in info.shape)
            raise ModelError(f"{path} cannot process an input of {'x'.join(map(str, shape))}: it takes {wanted}.")


def failed(path: Path, feeds: Mapping[str, NDArray[Any]], reason: object) -> ModelError:
    """The error of a network at `path` that broke on `feeds`; `reason` is the engine's own, in any number of lines."""
    shapes = ", ".join("x".join(map(str, array.shape)) for array in feeds.values())
    return ModelError(f"{path} cannot process an input of {shapes}: {one_line(reason)}.")


def one_line(reason: object) -> str:
    """What an engine says, in one line without a stop at its end, and not longer than a person reads."""
    return " ".join(str(reason).split())[:_LONGEST].rstrip(". ")
