"""Health checks: a tiny network, really run."""

from __future__ import annotations

import importlib.util

from zoo.specs import Health


def tensorflow() -> Health:
    """Whether TensorFlow is there and works."""
    install = "pip install 'facezoo[tensorflow]' for TensorFlow's checkpoints, graphs and SavedModels"
    if importlib.util.find_spec("tensorflow") is None:
        return Health("tensorflow", "ok", "not installed; only TensorFlow's own files need it", install)
    try:
        return _relu()
    except (ImportError, RuntimeError, ValueError) as error:
        return Health("tensorflow", "error", str(error), "install it again: pip install --force-reinstall tensorflow")


def _relu() -> Health:
    from zoo_tensorflow.quiet import tensorflow as quietly

    tf = quietly()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        (result,) = session.run([tf.nn.relu(tf.constant([-1.0, 2.0]))])
    if result.tolist() != [0.0, 2.0]:
        return Health("tensorflow", "error", f"relu of -1 and 2 came out as {result.tolist()}")
    return Health("tensorflow", "ok", tf.__version__)
