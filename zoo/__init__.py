"""The zoo: public face-analysis models behind one Python interface and one command.

`load` gives a model as a callable, `open_dataset` a data set to iterate; everything else hangs off the command line.
Importing this package imports no framework, not even numpy.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing for it would take a third of the time of `zoo --version`
__version__ = "0.1.0"
__all__ = ["Face", "Faces", "__version__", "load", "open_dataset"]

if TYPE_CHECKING:
    from zoo.datasets.dataset import open_dataset
    from zoo.inference.loading import load
    from zoo.types import Face, Faces

_LAZY = {
    "load": "zoo.inference.loading",
    "open_dataset": "zoo.datasets.dataset",
    "Face": "zoo.types",
    "Faces": "zoo.types",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    import importlib

    found: object = getattr(importlib.import_module(_LAZY[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
