"""Health check: a tiny network, really run."""

from __future__ import annotations

import importlib.util

from zoo.specs import Health


def torch() -> Health:
    """Whether PyTorch is there and works, and on which devices."""
    if importlib.util.find_spec("torch") is None:
        return Health("torch", "ok", "not installed", "pip install 'facezoo[torch]' to run and convert weight files")
    try:
        import torch as engine

        result = engine.relu(engine.tensor([-1.0, 2.0])).tolist()
    except (ImportError, OSError, RuntimeError) as error:
        return Health("torch", "error", str(error), "install it again: pip install --force-reinstall 'facezoo[torch]'")
    if result != [0.0, 2.0]:
        return Health("torch", "error", f"relu of -1 and 2 came out as {result}", "install it again")
    devices = [
        "cpu",
        *(["cuda"] if engine.cuda.is_available() else []),
        *(["mps"] if engine.backends.mps.is_available() else []),
    ]
    return Health("torch", "ok", f"{engine.__version__}, devices: {', '.join(devices)}")
