"""What a Python file assigns, as far as it can be told without running it.

Literals, names assigned before, ``dict()``, ``list()`` and ``tuple()``, unpacking, items of what was assigned, simple
arithmetic, text with values in it, and mm's ``{{ _base_.name }}`` and ``{{ fileDirname }}``. Nothing is looked up
outside the file, and no value grows beyond `_LONGEST`.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ModelError

BASE = "_base_"
_LONGEST, _MOST = 100_000, 1_000_000
"""The length of the longest text or list, and of all together."""
_LARGEST = 2.0**64
_VARIABLE = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_
}  # fmt: skip
_MADE: dict[str, Callable[..., Any]] = {"dict": dict, "list": list, "tuple": tuple}
_FAULTS = (TypeError, ValueError, KeyError, IndexError, ZeroDivisionError, OverflowError)


class Evaluator:
    """Evaluates the file `path`, in which ``_base_`` stands for `base`, what it inherits."""

    def __init__(self, path: Path, base: Mapping[str, Any]) -> None:
        self._path, self._base = path, base
        self._names: dict[str, Any] = {}
        self._made = 0

    def run(self, tree: ast.Module) -> dict[str, Any]:
        """What the file assigns, by name. Raises `ModelError` for a statement that is no assignment."""
        try:
            for statement in tree.body:
                self._statement(statement)
        except RecursionError:
            raise ModelError(f"{self._path} nests too deep.") from None
        found = {name: value for name, value in self._names.items() if name != BASE and not name.startswith("__")}
        self._require_modest(found)
        return found

    def _require_modest(self, found: Any) -> None:
        """Refuse lists that hold each other, or the same lists again and again: who copies them makes much out of
        little."""
        open_, count = [found], 0
        while open_:
            value = open_.pop()
            parts = list(value.values()) if isinstance(value, dict) else value
            if isinstance(parts, list | tuple):
                count += len(parts)
                open_.extend(parts)
            if count > _MOST:
                raise ModelError(f"{self._path} holds too many values, or values that hold themselves.")

    def value(self, node: ast.expr) -> Any:
        """The value of an expression. Raises `ModelError` that names the line of what cannot be told."""
        handler = getattr(self, f"_value_{type(node).__name__.lower()}", None)
        if handler is None:
            raise self.refused(node, f"it holds `{ast.unparse(node)[:60]}`")
        try:
            return self._counted(handler(node), node)
        except _FAULTS as error:
            raise self.refused(node, f"`{ast.unparse(node)[:60]}` cannot be evaluated ({error})") from None

    def refused(self, node: ast.AST, why: str) -> ModelError:
        """The error that says why the file cannot be read as data."""
        line = getattr(node, "lineno", 0)
        return ModelError(f"{self._path}, line {line}: {why}, and a configuration is read without running it.")

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign):
            value = self.value(node.value)
            for target in node.targets:
                self._assign(target, value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._assign(node.target, self.value(node.value))
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self._assign(node.target, self.value(ast.BinOp(_load(node.target), node.op, node.value, **_place(node))))
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            raise self.refused(node, f"it holds `{ast.unparse(node).splitlines()[0][:60]}`")

    def _assign(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self._names[target.id] = value
        elif isinstance(target, ast.Subscript):
            try:
                self.value(target.value)[self.value(target.slice)] = value
            except _FAULTS as error:
                raise self.refused(target, f"`{ast.unparse(target)[:60]}` cannot be assigned ({error})") from None
        elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, list | tuple):
            if len(value) != len(target.elts):
                raise self.refused(target, f"it assigns {len(value)} values to {len(target.elts)} names")
            for one, part in zip(target.elts, value, strict=True):
                self._assign(one, part)
        else:
            raise self.refused(target, f"it assigns to `{ast.unparse(target)[:60]}`")

    def _value_constant(self, node: ast.Constant) -> Any:
        return _VARIABLE.sub(self._variable(node), node.value) if isinstance(node.value, str) else node.value

    def _value_name(self, node: ast.Name) -> Any:
        if node.id not in self._names:
            raise self.refused(node, f"the name {node.id} is assigned nowhere before")
        return self._names[node.id]

    def _value_list(self, node: ast.List) -> list[Any]:
        return list(self._items(node.elts))

    def _value_tuple(self, node: ast.Tuple) -> tuple[Any, ...]:
        return tuple(self._items(node.elts))

    def _value_set(self, node: ast.Set) -> Any:
        """A set, or mm's ``{{ _base_.name }}``, which Python reads as a set in a set."""
        inner = node.elts[0] if len(node.elts) == 1 else None
        if isinstance(inner, ast.Set) and len(inner.elts) == 1:
            return self._inherited(ast.unparse(inner.elts[0]), node)
        return set(self._items(node.elts))

    def _value_dict(self, node: ast.Dict) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            made.update(self.value(value) if key is None else {self.value(key): self.value(value)})
        return made

    def _value_call(self, node: ast.Call) -> Any:
        if not isinstance(node.func, ast.Name) or node.func.id not in _MADE or node.func.id in self._names:
            raise self.refused(node, f"it calls `{ast.unparse(node.func)[:60]}`")
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value)
            named.update(value if keyword.arg is None else {keyword.arg: value})
        return _MADE[node.func.id](*self._items(node.args), **named)

    def _value_binop(self, node: ast.BinOp) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        if type(node.op) not in _BINARY or (isinstance(node.op, ast.Mod) and isinstance(left, str | bytes)):
            raise self.refused(node, f"it holds `{ast.unparse(node)[:60]}`")
        self._require_small(node, left, right)
        return _BINARY[type(node.op)](left, right)

    def _value_unaryop(self, node: ast.UnaryOp) -> Any:
        if type(node.op) not in _UNARY:
            raise self.refused(node, f"it holds `{ast.unparse(node)[:60]}`")
        return _UNARY[type(node.op)](self.value(node.operand))

    def _value_subscript(self, node: ast.Subscript) -> Any:
        return self.value(node.value)[self.value(node.slice)]

    def _value_slice(self, node: ast.Slice) -> slice:
        return slice(*(None if part is None else self.value(part) for part in (node.lower, node.upper, node.step)))

    def _value_joinedstr(self, node: ast.JoinedStr) -> str:
        return "".join(str(self.value(part)) for part in node.values)

    def _value_formattedvalue(self, node: ast.FormattedValue) -> str:
        value = self.value(node.value)
        if node.format_spec is not None or node.conversion != -1 or not isinstance(value, str | int | float):
            raise self.refused(node, "it formats a value")
        return str(value)

    def _items(self, nodes: Iterable[ast.expr]) -> Iterable[Any]:
        for node in nodes:
            if isinstance(node, ast.Starred):
                yield from self.value(node.value)
            else:
                yield self.value(node)

    def _require_small(self, node: ast.BinOp, left: Any, right: Any) -> None:
        """Refuse what would make much out of little, before it is made."""
        sizes = [len(side) for side in (left, right) if isinstance(side, str | bytes | list | tuple)]
        factor = next((abs(side) for side in (left, right) if isinstance(side, int)), 1)
        numbers = [abs(side) for side in (left, right) if isinstance(side, int | float)]
        long = sizes and sum(sizes) * (factor if isinstance(node.op, ast.Mult) else 1) > _LONGEST
        steep = isinstance(node.op, ast.Pow) and numbers and max(numbers) > 64
        if long or steep or any(number > _LARGEST for number in numbers):
            raise self.refused(node, f"`{ast.unparse(node)[:60]}` is too large")

    def _counted(self, value: Any, node: ast.expr) -> Any:
        """`value` itself. What each expression makes is counted; a name, or an item, makes nothing."""
        makes = not isinstance(node, ast.Name | ast.Subscript) or isinstance(getattr(node, "slice", None), ast.Slice)
        if makes and isinstance(value, str | bytes | list | tuple | dict | set):
            self._made += len(value)
            if self._made > _MOST:
                raise self.refused(node, "its values are too many")
        return value

    def _variable(self, node: ast.Constant) -> Callable[[re.Match[str]], str]:
        """What stands for a ``{{ name }}`` inside a text."""
        path = self._path
        known = {
            "fileDirname": str(path.parent), "fileBasename": path.name, "fileBasenameNoExtension": path.stem,
            "fileExtname": path.suffix,
        }  # fmt: skip

        def told(found: re.Match[str]) -> str:
            return known[found[1]] if found[1] in known else str(self._inherited(found[1], node))

        return told

    def _inherited(self, name: str, node: ast.expr) -> Any:
        """What ``_base_.a.b`` stands for."""
        root, *parts = name.split(".")
        value: Any = self._base
        for part in parts if root == BASE else (root,):
            if not isinstance(value, Mapping) or root != BASE or part not in value:
                raise self.refused(node, f"nothing stands for {{{{ {name[:60]} }}}}")
            value = value[part]
        return value


def _load(target: ast.Name) -> ast.Name:
    return ast.Name(target.id, ast.Load(), **_place(target))


def _place(node: ast.stmt | ast.expr) -> dict[str, int]:
    return {"lineno": node.lineno, "col_offset": node.col_offset}
