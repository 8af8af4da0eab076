"""Reading pickles without running them.

A pickle is a program for a stack machine whose instructions may import and call anything. This is a machine of its own
that knows the instructions which build plain data (protocols 0 to 5), and evaluates by itself the few constructors that
data sets contain: NumPy's numeric arrays, scalars and types under their names of NumPy 1 and 2, the encodings of bytes
in old protocols, sets and ``OrderedDict``. Everything else is refused by name and byte offset. Nothing is allocated
from a length that the file only claims, and the time it takes is proportional to the file's size.

What a value becomes: a string of Python 2 and a ``bytearray`` are ``bytes``; a NumPy scalar is a Python number of the
same value; an array is a read-only ``numpy.ndarray`` over the file's own bytes; an ``OrderedDict`` is a ``dict``; what
is shared stays shared. The keys of dictionaries and the items of sets are text, bytes, numbers or None.
"""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from typing import Any

from zoo.errors import InputError


@dataclass(frozen=True)
class Limits:
    """How large a pickle may be: its `size` in bytes, its number of `instructions`, and the `depth` to which its values
    nest. An instruction makes a value of about 200 bytes at most, besides the bytes that it takes from the file."""

    size: int = 1 << 34
    instructions: int = 20_000_000
    depth: int = 32


DEFAULT = Limits()

_BEGINNING = re.compile(rb"\x80[\x00-\x05](\x95.{8})?[](cX]|\(?(\]|\(lp)", re.DOTALL)


def begins(head: bytes) -> bool:
    """Whether a file with these first bytes may be a pickle of lists, in a tuple perhaps. Those that are written by
    hand may begin with the names of NumPy's constructors, to which their values then refer."""
    return _BEGINNING.match(head) is not None


def load(
    data: bytes | mmap.mmap, where: str, *, views: bool = False, points: bool = False, limits: Limits = DEFAULT
) -> Any:
    """The value that a pickle describes; `where` names it in errors. What stands behind its STOP is not looked at.

    With `views`, bytes of more than 64 come as read-only ``memoryview`` into `data` and are not copied. With `points`,
    most lists of pairs of NumPy's float32 scalars come as (N, 2) float32 arrays, in a twentieth of the time. Raises
    `InputError`, with the byte offset, for a pickle that is damaged, cut off, beyond `limits`, or not plain data.
    """
    from zoo.safepickle.machine import Machine

    if len(data) > limits.size:
        raise InputError(f"{where} has {len(data):,} bytes, more than the limit of {limits.size:,} for a pickle.")
    machine = Machine(data, limits.instructions, limits.depth, views, points)
    try:
        return machine.run(where)
    except InputError:
        if not machine.unnoted:
            raise
    # It may refer to a value inside of such a list, or add to one: then lists have to be lists.
    return Machine(data, limits.instructions, limits.depth, views, points=False).run(where)
