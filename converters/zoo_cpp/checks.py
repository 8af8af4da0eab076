"""Health check: a tiny program, really compiled and called."""

from __future__ import annotations

import ctypes

from zoo.errors import RuntimeMissingError, ZooError
from zoo.specs import Health

_PROGRAM = b'extern "C" int twice(int number) { return 2 * number; }\n'


def cpp() -> Health:
    """Whether there is a C++ compiler, and what it makes can be called."""
    from zoo_cpp import compiler

    try:
        found = compiler.health()
        twice = ctypes.CDLL(str(compiler.library({"twice.cpp": _PROGRAM}, "twice.cpp"))).twice
    except RuntimeMissingError as error:
        return Health("cpp", "warning", str(error), "without a compiler --runtime cpp does not work; all else does")
    except (ZooError, OSError, AttributeError) as error:
        return Health("cpp", "error", str(error), "try another compiler, named in CXX, or another cache, in ZOO_CACHE")
    if twice(21) != 42:
        return Health(
            "cpp", "error", f"{found}: twice 21 came out as {twice(21)}", "try another compiler, named in CXX"
        )
    return Health("cpp", "ok", found)
