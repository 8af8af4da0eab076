"""The stack machine that the instructions of a pickle are for, as far as plain data needs it.

What each instruction means is told by the comments of CPython's ``Lib/pickletools.py``.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Callable
from typing import Any

from zoo.errors import InputError
from zoo.safepickle import codes, values
from zoo.safepickle.values import CALLS, Fault, Global, NumberType, Unbuilt, allowed, shown

_VIEW = 64
"""Bytes up to this length are copied even where views are asked for: a view is larger than they are."""
_LONGEST = 9
"""Bytes of the largest integer: 64 bits and a sign. Larger ones would let a file choose keys whose hashes collide."""
_DAMAGE = (IndexError, KeyError, OverflowError, TypeError, ValueError, struct.error)
"""What carrying out an instruction raises when its operands are not there or are of the wrong kind."""
_COPIED = frozenset((list, tuple, str))


class Machine:
    """Carries out one pickle. A handler is called with the offset behind its instruction's code and gives the next one;
    the one of STOP gives a negative number.

    What else a format keeps in its pickles, a subclass may evaluate in `find`, `call`, `instruct` and `complete`.
    """

    def __init__(
        self, data: bytes | mmap.mmap, instructions: int, depth: int, views: bool = False, points: bool = False
    ) -> None:
        self.data, self.end, self.instructions, self.depth = data, len(data), instructions, depth
        self.whole = memoryview(data).toreadonly() if views else None
        self.points = points
        self.unnoted = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.unbuilt = 0
        self.copied = 0
        self.behind = 0

    def run(self, where: str, start: int = 0) -> Any:
        """Carry out the instructions from the offset `start` up to STOP and give what they leave; `behind` is then the
        offset behind STOP. Raises `InputError`."""
        data, at, position = self.data, start, start
        handlers: list[Callable[[int], int]] = [getattr(self, name) for name in codes.HANDLERS]
        try:
            for _ in range(self.instructions):
                at = position
                position = handlers[data[at]](at + 1)
                if position < 0:
                    self.behind = -position
                    return self._result()
            raise Fault(f"it has more than {self.instructions:,} instructions")
        except Fault as fault:
            raise InputError(f"{where} cannot be used: {fault} (pickle, byte {at}).") from None
        except _DAMAGE:
            why = "ends before its STOP" if at >= self.end else "is damaged or cut off"
        raise InputError(f"{where} {why} (pickle, byte {at}).") from None

    def _result(self) -> Any:
        if len(self.stack) != 1 or self.marks:
            raise Fault("it stops with values left over")
        if self.unbuilt:
            raise Fault("it has an array that is never filled")
        values.require_shallow(self.stack[0], self.depth)
        return self.stack[0]

    # What is taken from the file.

    def _take(self, position: int, size: int) -> bytes:
        if size > self.end - position:
            raise Fault(f"{size:,} bytes are announced where {max(self.end - position, 0):,} are left")
        return self.data[position : position + size]

    def _number(self, layout: struct.Struct, position: int) -> Any:
        return layout.unpack(self._take(position, layout.size))[0]

    def _line(self, position: int) -> tuple[bytes, int]:
        """The rest of the line, and where the next one begins."""
        end = self.data.find(b"\n", position)
        if end < 0:
            raise Fault("a line has no end")
        return self.data[position:end], end + 1

    def _push_text(self, position: int, size: int) -> int:
        self.stack.append(self._take(position, size).decode("utf-8"))
        return position + size

    def _push_bytes(self, position: int, size: int) -> int:
        if self.whole is not None and _VIEW < size <= self.end - position:
            self.stack.append(self.whole[position : position + size])
        else:
            self.stack.append(self._take(position, size))
        return position + size

    # The stack, its marks and the memo.

    def _since_mark(self) -> list[Any]:
        """Take what was pushed since the last mark, and the mark."""
        start = self.marks.pop()
        if start > len(self.stack):
            raise Fault("a mark is missing")
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _top(self, kind: type) -> Any:
        """The value on the top of the stack, which must be exactly of `kind`."""
        if type(self.stack[-1]) is not kind:
            raise Fault(f"it adds to something that is no {kind.__name__}")
        return self.stack[-1]

    def _put(self, slot: int) -> None:
        value = self.memo[slot] = self.stack[-1]
        if type(value) is Unbuilt:
            value.slots.append(slot)

    def _get(self, slot: int) -> None:
        self.stack.append(_built(self.memo[slot]))

    def _op_mark(self, position: int) -> int:
        if len(self.marks) >= self.depth:
            raise Fault(f"it nests deeper than {self.depth} levels")
        self.marks.append(len(self.stack))
        return position

    def _op_pop(self, position: int) -> int:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.stack.pop()
        return position

    def _op_pop_mark(self, position: int) -> int:
        self._since_mark()
        return position

    def _op_dup(self, position: int) -> int:
        self.stack.append(_built(self.stack[-1]))
        return position

    def _op_put(self, position: int) -> int:
        line, position = self._line(position)
        self._put(values.whole(line))
        return position

    def _op_binput(self, position: int) -> int:
        self._put(self.data[position])
        return position + 1

    def _op_long_binput(self, position: int) -> int:
        self._put(self._number(_U4, position))
        return position + 4

    def _op_memoize(self, position: int) -> int:
        self._put(len(self.memo) + self.unnoted)
        return position

    def _op_get(self, position: int) -> int:
        line, position = self._line(position)
        self._get(values.whole(line))
        return position

    def _op_binget(self, position: int) -> int:
        self._get(self.data[position])
        return position + 1

    def _op_long_binget(self, position: int) -> int:
        self._get(self._number(_U4, position))
        return position + 4

    # What only announces, ends or is refused.

    def _op_proto(self, position: int) -> int:
        if self.data[position] > 5:
            raise Fault(f"its protocol {self.data[position]} is newer than 5")
        return position + 1

    def _op_frame(self, position: int) -> int:
        size = self._number(_U8, position)
        if size > self.end - position - 8:
            raise Fault(f"a frame of {size:,} bytes is announced where {self.end - position - 8:,} are left")
        return position + 8

    def _op_stop(self, position: int) -> int:
        return -position

    def _op_unknown(self, position: int) -> int:
        raise Fault(f"there is no instruction {self.data[position - 1]:#04x}, so it is no pickle or damaged")

    def _op_refused(self, position: int) -> int:
        return self.instruct(codes.REFUSED[self.data[position - 1]], position)

    def instruct(self, name: str, position: int) -> int:
        """Carry out one of `codes.REFUSED`. Raises `Fault`, because plain data needs none of them."""
        raise Fault(f"it uses the instruction {name}, which is refused because it could run code")

    def _op_inst(self, position: int) -> int:
        module, position = self._line(position)
        name, position = self._line(position)
        raise Fault(f"it makes an object of {shown(module)}.{shown(name)}, which is refused because it could run code")

    # Plain values.

    def _op_none(self, position: int) -> int:
        self.stack.append(None)
        return position

    def _op_true(self, position: int) -> int:
        self.stack.append(True)
        return position

    def _op_false(self, position: int) -> int:
        self.stack.append(False)
        return position

    def _op_int_line(self, position: int) -> int:
        line, position = self._line(position)
        self.stack.append(line == b"01" if line in (b"00", b"01") else values.whole(line, signed=True))
        return position

    def _op_long_line(self, position: int) -> int:
        line, position = self._line(position)
        self.stack.append(values.whole(line.removesuffix(b"L"), signed=True))
        return position

    def _op_binint(self, position: int) -> int:
        self.stack.append(self._number(_I4, position))
        return position + 4

    def _op_binint1(self, position: int) -> int:
        self.stack.append(self.data[position])
        return position + 1

    def _op_binint2(self, position: int) -> int:
        self.stack.append(self._number(_U2, position))
        return position + 2

    def _op_long1(self, position: int) -> int:
        return self._push_long(position + 1, self.data[position])

    def _op_long4(self, position: int) -> int:
        return self._push_long(position + 4, self._number(_U4, position))

    def _push_long(self, position: int, size: int) -> int:
        if size > _LONGEST:
            raise Fault("an integer has more than 64 bits")
        self.stack.append(int.from_bytes(self._take(position, size), "little", signed=True))
        return position + size

    def _op_float_line(self, position: int) -> int:
        line, position = self._line(position)
        if len(line) > values.LONGEST_LINE:
            raise Fault("a number is too long")
        self.stack.append(float(line))
        return position

    def _op_binfloat(self, position: int) -> int:
        self.stack.append(self._number(_F8, position))
        return position + 8

    def _op_unicode_line(self, position: int) -> int:
        line, position = self._line(position)
        text = line.decode("raw-unicode-escape")
        text.encode("utf-8")  # half a surrogate pair is no text
        self.stack.append(text)
        return position

    def _op_string_line(self, position: int) -> int:
        """A string as the source code of Python 2 has it: in quotes, with backslashes."""
        line, position = self._line(position)
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise Fault("a string has no quotes")
        self.stack.append(values.unescape(line[1:-1]))
        return position

    def _op_text1(self, position: int) -> int:
        return self._push_text(position + 1, self.data[position])

    def _op_text4(self, position: int) -> int:
        return self._push_text(position + 4, self._number(_U4, position))

    def _op_text8(self, position: int) -> int:
        return self._push_text(position + 8, self._number(_U8, position))

    def _op_bytes1(self, position: int) -> int:
        return self._push_bytes(position + 1, self.data[position])

    def _op_bytes4(self, position: int) -> int:
        return self._push_bytes(position + 4, self._number(_U4, position))

    def _op_bytes8(self, position: int) -> int:
        return self._push_bytes(position + 8, self._number(_U8, position))

    # Containers.

    def _op_empty_list(self, position: int) -> int:
        found = self.points and (
            codes.NOTED_POINTS.match(self.data, position) or codes.POINTS.match(self.data, position)
        )
        if found and (points := self._points(found)) is not None:
            self.stack.append(points)
            if found.re is codes.NOTED_POINTS:
                self._put(len(self.memo) + self.unnoted)
                self.unnoted += 7 * len(points)
            return found.end()
        self.stack.append([])
        return position

    def _points(self, found: re.Match[bytes]) -> Any:
        """The points (N, 2) of a whole list of pairs of float32 scalars; None when its names mean something else.

        What such a list notes in the memo (of each point two values, their two arguments, two calls and the pair) is
        counted only. An instruction that refers to it finds nothing there."""
        maker, kind = (self.memo.get(int.from_bytes(found[group][1:], "little")) for group in (2, 3))
        named = type(maker) is Global and maker.name == values.SCALAR
        if named and type(kind) is NumberType and kind.code == "f4" and kind.order in ("<", "="):
            noted = found.re is codes.NOTED_POINTS
            place = len(found[2]) + len(found[3]) + 2
            scalar = place + (9 if noted else 6)
            return values.pairs(found[1], 2 * scalar + 1 + noted, place, scalar + place)
        return None

    def _op_empty_tuple(self, position: int) -> int:
        self.stack.append(())
        return position

    def _op_empty_dict(self, position: int) -> int:
        self.stack.append({})
        return position

    def _op_empty_set(self, position: int) -> int:
        self.stack.append(set())
        return position

    def _op_tuple1(self, position: int) -> int:
        self.stack[-1] = (self.stack[-1],)
        return position

    def _op_tuple2(self, position: int) -> int:
        last = self.stack.pop()
        self.stack[-1] = (self.stack[-1], last)
        return position

    def _op_tuple3(self, position: int) -> int:
        last, middle = self.stack.pop(), self.stack.pop()
        self.stack[-1] = (self.stack[-1], middle, last)
        return position

    def _op_tuple(self, position: int) -> int:
        self.stack.append(tuple(self._since_mark()))
        return position

    def _op_list(self, position: int) -> int:
        self.stack.append(self._since_mark())
        return position

    def _op_dict(self, position: int) -> int:
        items = self._since_mark()
        self.stack.append({})
        return self._set(items, position)

    def _op_frozenset(self, position: int) -> int:
        self.stack.append(frozenset(values.keys(self._since_mark())))
        return position

    def _op_append(self, position: int) -> int:
        value = self.stack.pop()
        self._top(list).append(value)
        return position

    def _op_appends(self, position: int) -> int:
        items = self._since_mark()
        self._top(list).extend(items)
        return position

    def _op_setitem(self, position: int) -> int:
        value, key = self.stack.pop(), self.stack.pop()
        return self._set([key, value], position)

    def _op_setitems(self, position: int) -> int:
        return self._set(self._since_mark(), position)

    def _set(self, items: list[Any], position: int) -> int:
        self._top(dict).update(zip(values.keys(items[::2]), items[1::2], strict=True))
        return position

    def _op_additems(self, position: int) -> int:
        items = self._since_mark()
        self._top(set).update(values.keys(items))
        return position

    # Names and calls.

    def _op_global_line(self, position: int) -> int:
        module, position = self._line(position)
        name, position = self._line(position)
        self.stack.append(self.find(module.decode("utf-8"), name.decode("utf-8")))
        return position

    def _op_stack_global(self, position: int) -> int:
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str:
            raise Fault("it names a global by something that is no text")
        self.stack.append(self.find(module, name))
        return position

    def _op_reduce(self, position: int) -> int:
        arguments, called = self.stack.pop(), self.stack.pop()
        self.stack.append(self.call(called, arguments))
        return position

    def find(self, module: str, name: str) -> Any:
        """What stands for the global ``module.name``. Raises `Fault` where it is refused."""
        return allowed(module, name)

    def call(self, called: Any, arguments: Any) -> Any:
        """What `called`, which `find` has given, makes of `arguments`. Raises `Fault` where it is no constructor."""
        if type(called) is not Global or called.name not in CALLS or type(arguments) is not tuple:
            raise Fault("it calls something that is no constructor of plain data")
        if arguments and type(arguments[0]) in _COPIED:
            self.note_copy(len(arguments[0]))
        made = CALLS[called.name](*arguments)
        self.unbuilt += type(made) is Unbuilt
        return made

    def note_copy(self, size: int) -> None:
        """Note that a constructor copies `size` units. An honest file has each of its bytes copied once; one that has
        the same data copied over and over makes much out of little."""
        self.copied += size
        if self.copied > 4 * self.end:
            raise Fault("it copies the same data over and over")

    def _op_build(self, position: int) -> int:
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is NumberType and not target.order:
            target.order = values.byte_order(state)
        elif type(target) is Unbuilt:
            built = self.stack[-1] = values.array(*values.array_state(state))
            self.memo.update((slot, built) for slot in target.slots if self.memo[slot] is target)
            self.unbuilt -= 1
        else:
            self.complete(target, state)
        return position

    def complete(self, target: Any, state: Any) -> None:
        """Give an object that `call` or `instruct` has made its state. Raises `Fault` where it has none."""
        raise Fault("it sets the state of something that is neither an array nor a NumPy type")


def _built(value: Any) -> Any:
    if type(value) is Unbuilt:
        raise Fault("it refers to an array that is not filled yet")
    return value


_U2, _U4, _U8, _I4, _F8 = (struct.Struct(layout) for layout in ("<H", "<I", "<Q", "<i", ">d"))
