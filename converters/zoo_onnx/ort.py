"""ONNX files on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from zoo.errors import ModelError, RuntimeMissingError, UsageError, suggestion
from zoo.runtimes import TensorInfo
from zoo.runtimes.sessions import failed

_FATAL = 4
_SUFFIX = "ExecutionProvider"


class OrtSession:
    """A `zoo.runtimes.Session` of ONNX Runtime. Raises `ModelError` when `path` is no valid ONNX model."""

    runtime = "onnxruntime"

    def __init__(self, path: Path, *, threads: int = 1, device: str = "auto") -> None:
        if not path.is_file():
            raise ModelError(f"There is no model file at {path}.")
        self._path = path
        # What goes wrong is raised, so the engine's own lines on the terminal would say it twice.
        onnxruntime.set_default_logger_severity(_FATAL)
        try:
            self._session = onnxruntime.InferenceSession(str(path), _options(threads), providers=_providers(device))
        except Exception as error:  # the engine's own errors have no common base class of their own
            if isinstance(error, UsageError | RuntimeMissingError):
                raise
            raise ModelError(f"{path} is damaged or not an ONNX model: {_reason(error)}.") from error
        self.inputs = tuple(_info(value) for value in self._session.get_inputs())
        self.outputs = tuple(_info(value) for value in self._session.get_outputs())
        self.device = _device_name(self._session.get_providers()[0])
        _require_device(device, self.device)

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See `zoo.runtimes.Session.run`."""
        try:
            outputs: list[NDArray[Any]] = self._session.run(None, dict(feeds))
        except Exception as error:
            raise failed(self._path, feeds, _reason(error)) from error
        return outputs


def devices() -> dict[str, str]:
    """The devices that this ONNX Runtime was built for, the preferred first, and its provider for each: ``cuda``,
    ``cpu``. Azure, which it lists as well, is a service elsewhere and no device."""
    names = onnxruntime.get_available_providers()
    return {_device_name(name): name for name in names if _device_name(name) != "azure"}


def _options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    # Memory patterns keep a buffer plan for every input size seen: with photographs of all sizes the process grows by
    # hundreds of megabytes, and no run gets faster (measured on YuNet and SCRFD).
    options.enable_mem_pattern = False
    if threads == 1:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _providers(device: str) -> list[Any]:
    """The execution providers to ask for. ``auto`` takes CUDA where it is built in: the others need fixed shapes."""
    name, _, index = device.partition(":")
    known = devices()
    if name == "auto":
        name = "cuda" if "cuda" in known else "cpu"
    if name not in known:
        if name == "cuda":
            _require_device(name, "cpu")
        raise UsageError(
            f"onnxruntime has no device {device!r} here.{suggestion(name, known)} It has: auto, {', '.join(known)}."
        )
    asked = (known[name], {"device_id": index}) if index else known[name]
    return [asked] if name == "cpu" else [asked, "CPUExecutionProvider"]


def _require_device(asked: str, got: str) -> None:
    name = asked.partition(":")[0]
    if name not in ("auto", got):
        raise RuntimeMissingError(
            f"The device {name} was asked for, but onnxruntime runs on {got} here; install facezoo[gpu] in place of"
            f" facezoo[cpu], with its drivers, or leave the device out."
        )


def _device_name(provider: str) -> str:
    return provider.removesuffix(_SUFFIX).lower()


def _info(value: Any) -> TensorInfo:
    return TensorInfo(value.name, tuple(size if isinstance(size, int) else None for size in value.shape))


def _reason(error: Exception) -> str:
    """The engine's message in one line, without its prefixes and paths."""
    text = " ".join(str(error).split()).split(" : ")[-1]
    return text.split(" failed:")[-1].rstrip(". ")[:300]
