"""Health checks: LiteRT, and the environment of onnx2tf."""

from __future__ import annotations

import importlib.util

from zoo.specs import Health
from zoo_tflite import environment


def tflite() -> Health:
    """Whether LiteRT is there and loads."""
    advice = "pip install 'facezoo[tflite]' for TensorFlow Lite files"
    if importlib.util.find_spec("ai_edge_litert") is None:
        return Health("tflite", "ok", "not installed; only TFLite files need it", advice)
    try:
        import ai_edge_litert.interpreter
    except ImportError as error:
        return Health("tflite", "error", str(error), "install it again: pip install --force-reinstall ai-edge-litert")
    from importlib.metadata import version

    return Health("tflite", "ok", f"LiteRT {version('ai-edge-litert')}, {ai_edge_litert.interpreter.__name__}")


def onnx2tf() -> Health:
    """Whether the environment that converts ONNX to TFLite has been built."""
    place = environment.folder()
    if environment.interpreter(place).exists():
        return Health("onnx2tf", "ok", f"{environment.REQUIREMENTS[0]} in {place}")
    advice = "zoo convert MODEL.onnx MODEL.tflite build_environment=true builds it"
    return Health("onnx2tf", "ok", "not built; only converting ONNX to TFLite needs it", advice)
