"""Options as data: one frozen dataclass is the command-line flags, the ``key=value`` overrides, the YAML of
``--config``, the JSON schema and the reference page of a task or a model."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from zoo import plainyaml
from zoo.errors import UsageError, ZooError, suggestion

T = TypeVar("T")
_JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object"}


def option(default: Any, help: str, *, least: float | None = None, most: float | None = None) -> Any:
    """A field of an options dataclass: its default, its one-line help, and for numbers the range that is allowed."""
    metadata = {"help": help, "least": least, "most": most}
    if isinstance(default, list | dict):
        raise TypeError("defaults of options are immutable: use a tuple")
    return dataclasses.field(default=default, metadata=metadata)


def mapping(help: str) -> Any:
    """A field of an options dataclass that maps names of its own to values, which are given as ``field.name=value`` or
    in YAML as a mapping. What they may be is for who reads the field to say."""
    return dataclasses.field(default_factory=dict, metadata={"help": help})


@dataclass(frozen=True)
class Option:
    """One option as the command line sees it. `kind` is bool, int, float, str or, for a `mapping`, dict; `many` means a
    comma-separated list; `optional` that None (not given) is a value of its own."""

    name: str
    kind: type
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    many: bool = False
    optional: bool = False
    least: float | None = None
    most: float | None = None

    def convert(self, value: Any) -> Any:
        """`value` as typed (text) or as YAML has it, as the option's own type. Raises `UsageError`."""
        if value is None and self.optional:
            return None
        if self.kind is dict:
            return self._mapping(value)
        if not self.many:
            return self._convert_one(value)
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            items = [items]
        return tuple(self._convert_one(item.strip() if isinstance(item, str) else item) for item in items if item != "")

    def _mapping(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise UsageError(f"Option {self.name} takes {self.wants}, not {value!r}; give {self.name}.NAME=VALUE.")
        return dict(value)

    def _convert_one(self, value: Any) -> Any:
        try:
            result = _BOOLEANS[str(value).lower()] if self.kind is bool else self._number_or_text(value)
        except (KeyError, ValueError):
            raise UsageError(f"Option {self.name} takes {self.wants}, not {value!r}.") from None
        if self.choices and result not in self.choices:
            raise UsageError(
                f"Option {self.name} takes {self.wants}, not {value!r}.{suggestion(str(result), self.choices)}"
            )
        if (self.least is not None and not result >= self.least) or (self.most is not None and not result <= self.most):
            raise UsageError(f"Option {self.name} takes {self.wants}, not {value!r}.")
        return result

    def _number_or_text(self, value: Any) -> Any:
        if isinstance(value, bool) or (self.kind is int and isinstance(value, float)) or isinstance(value, dict | list):
            raise ValueError(value)
        return self.kind(value)

    @property
    def wants(self) -> str:
        """What the option takes, in words: ``a number from 0 to 1``, ``photo or protocol``."""
        if self.choices:
            return " or ".join(self.choices)
        words = _WORDS[self.kind]
        if self.least is not None:
            words += f" from {self.least:g}" if self.most is not None else f" of at least {self.least:g}"
        return f"{words} to {self.most:g}" if self.most is not None else words


_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", dict: "names with values"}
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def describe(cls: type[Any]) -> dict[str, Option]:
    """The options of a dataclass by name, in order."""
    hints = typing.get_type_hints(cls)
    return {field.name: _describe(field, hints[field.name]) for field in dataclasses.fields(cls)}


def _describe(field: dataclasses.Field[Any], kind: Any) -> Option:
    optional = many = False
    choices: tuple[str, ...] = ()
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        optional = True
        kind = next(part for part in typing.get_args(kind) if part is not type(None))
    if typing.get_origin(kind) is tuple:
        many = True
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) is Literal:
        choices = typing.get_args(kind)
        kind = str
    if typing.get_origin(kind) is Mapping:
        kind = dict
    if kind not in _JSON_TYPES:
        raise TypeError(f"option {field.name} has the type {kind}, which no flag can carry")
    limits = {key: value for key, value in field.metadata.items() if key in ("least", "most")}
    default = {} if kind is dict else field.default
    text = field.metadata.get("help", "")
    return Option(field.name, kind, default, text, choices, many, optional, **limits)


def make(cls: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """An instance of the options dataclass `cls` from texts or YAML values. `where` names the file they stand in.

    Raises `UsageError` that names an unknown option, with the nearest known one, or a value that does not fit.
    """
    known = describe(cls)
    values = _gathered(values, known)
    _refuse_unknown(values, known, where)
    return cls(**{name: known[name].convert(value) for name, value in values.items()})


def split(values: Mapping[str, Any], *classes: type, where: str = "") -> list[dict[str, Any]]:
    """Divide `values` among several options dataclasses by field name; an unknown name raises `UsageError`."""
    known = {name: option for cls in classes for name, option in describe(cls).items()}
    values = _gathered(values, known)
    _refuse_unknown(values, known, where)
    return [{name: values[name] for name in describe(cls) if name in values} for cls in classes]


def dotted(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values`, those that are mappings as ``field.name``, so that others can go before single ones of them."""
    made: dict[str, Any] = {}
    for name, value in values.items():
        made |= {f"{name}.{key}": one for key, one in value.items()} if isinstance(value, Mapping) else {name: value}
    return made


def convert(values: Mapping[str, Any], known: Mapping[str, Option]) -> dict[str, Any]:
    """The `values` of `known` options, each as the type of its own. Raises as `make`."""
    _refuse_unknown(values, known, "")
    return {name: known[name].convert(value) for name, value in values.items()}


def _gathered(values: Mapping[str, Any], known: Mapping[str, Option]) -> dict[str, Any]:
    """`values`, those called ``field.name`` put into the mapping ``field``, where they go before what it has."""
    made, inner = {}, []
    for name, value in values.items():
        field, dot, key = name.partition(".")
        if dot and field in known and known[field].kind is dict:
            inner.append((field, key, value))
        else:
            made[name] = value
    for field, key, value in inner:
        made[field] = {**known[field].convert(made.get(field, {})), key: value}
    return made


def _refuse_unknown(values: Iterable[str], known: Collection[str], where: str) -> None:
    for name in values:
        if name not in known:
            place = f" in {where}" if where else ""
            raise UsageError(
                f"There is no option {name!r}{place}.{suggestion(name, known)} Known options: {', '.join(known)}."
            )


def read_config(path: Path) -> dict[str, Any]:
    """The options that a YAML file sets, as a mapping of names to values. Raises `UsageError`."""
    try:
        document = plainyaml.read(path)
    except ZooError as error:
        raise UsageError(str(error)) from None
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise UsageError(f"The configuration {path} must be a mapping of option names to values.")
    return document


def json_schema(cls: type) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of an options dataclass."""
    properties = {name: _property(option) for name, option in describe(cls).items()}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _property(option: Option) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": _JSON_TYPES[option.kind]}
    limits = {"enum": list(option.choices) or None, "minimum": option.least, "maximum": option.most}
    schema.update({key: value for key, value in limits.items() if value is not None})
    if option.many:
        schema = {"type": "array", "items": schema}
    if option.optional:
        schema["type"] = [schema["type"], "null"]
    default = list(option.default) if isinstance(option.default, tuple) else option.default
    return {**schema, "description": option.help, "default": default}
