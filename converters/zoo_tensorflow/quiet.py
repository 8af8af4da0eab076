"""TensorFlow, imported without its noise."""

from __future__ import annotations

import functools
import logging
import os
import sys
from typing import Any

from zoo.models import quiet

hushed = functools.partial(quiet.hushed, "tensorflow", "tf2onnx", "absl")
"""`zoo.models.quiet.hushed` for TensorFlow and what converts its graphs."""


def tensorflow() -> Any:
    """The module tensorflow, imported silently the first time."""
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with hushed():
            quiet.before_tensorflow()
            import tensorflow  # noqa: F401 - imported for what stands in sys.modules
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return sys.modules["tensorflow"]
