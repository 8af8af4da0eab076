"""Conversions without the noise of the frameworks: what goes wrong is raised, and the rest is of no use to anybody."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def hushed(*loggers: str) -> Iterator[None]:
    """Drop what libraries print to standard error, those not written in Python included, Python's warnings, and what is
    less than an error to `loggers`.

    It concerns the whole process, so it is put around imports and conversions, not around inference in threads.
    """
    levels = {name: logging.getLogger(name).level for name in loggers}
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), _away(2):
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def before_tensorflow() -> None:
    """Call this before TensorFlow is imported, where PyTorch may be imported later in the same process.

    TensorFlow and PyTorch's triton each carry an LLVM. Triton's loaded second ends the process by a segmentation fault
    (torch 2.14.1 after tensorflow 2.21.0); loaded first, both work. It takes a tenth of a second.
    """
    with contextlib.suppress(ImportError):
        importlib.import_module("triton._C.libtriton")


@contextlib.contextmanager
def _away(descriptor: int) -> Iterator[None]:
    """Send what is written to a file descriptor into a file that is dropped."""
    sys.stderr.flush()
    try:
        kept = os.dup(descriptor)
    except OSError:  # a process without standard error has nothing to drop
        yield
        return
    try:
        with tempfile.TemporaryFile() as sink:
            os.dup2(sink.fileno(), descriptor)
            yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, descriptor)
        os.close(kept)
