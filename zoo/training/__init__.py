"""Training: what the recipes of all methods share, from augmentation on the CPU to targets and losses.

`zoo.training.augment`, ``colours`` and ``recipe`` need numpy and OpenCV alone, ``options`` nothing; the others
import torch.
"""

from importlib.util import find_spec

from zoo.errors import RuntimeMissingError


def require_torch() -> None:
    """Raise `RuntimeMissingError` unless PyTorch is installed."""
    if find_spec("torch") is None:
        raise RuntimeMissingError("Training needs PyTorch, which is not installed: pip install 'facezoo[torch]'.")
