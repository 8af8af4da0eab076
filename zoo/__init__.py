"""The zoo: public face-analysis models behind one Python interface and one command.

`load` gives a model as a callable; everything else hangs off the command line. Importing this package imports no
framework, not even numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Face", "Faces", "__version__", "load"]

if TYPE_CHECKING:
    from zoo.inference.loading import load
    from zoo.types import Face, Faces

_LAZY = {"load": "zoo.inference.loading", "Face": "zoo.types", "Faces": "zoo.types"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
