"""``zoo list``, ``zoo info`` and ``zoo search``: what there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from zoo.catalogue import KINDS, Catalogue
from zoo.cli.output import installed, json_option, print_json, print_table
from zoo.errors import UsageError, suggestion

Row = tuple[Any, ...]
Document = Mapping[str, Any]


def _model_row(name: str, card: Document) -> Row:
    published: Document = next((metric["values"] for metric in card["metrics"]), {})
    figures = [f"{published[key]:.3f}" if key in published else None for key in ("easy", "medium", "hard")]
    return (name, card["method"], card["parameters"] or None, *figures, _commercial(card["licences"]))


def _commercial(licences: Mapping[str, Document]) -> str:
    """What the strictest of the licences of code, weights and training data says of commercial use."""
    answers = [licence["commercial"] for licence in licences.values()]
    return next((answer for answer in ("no", "unclear") if answer in answers), "yes")


COLUMNS: dict[str, tuple[tuple[str, ...], Callable[[str, Document], Row]]] = {
    "models": (
        ("model", "method", "params", "easy", "medium", "hard", "commercial"),
        _model_row,
    ),
    "methods": (
        ("method", "kind", "tasks", "summary"),
        lambda name, spec: (name, spec["kind"], ", ".join(spec["tasks"]), spec["summary"]),
    ),
    "formats": (
        ("format", "files", "summary"),
        lambda name, spec: (name, " ".join(spec["suffixes"]), spec["summary"]),
    ),
    "converters": (("converter", "cost", "loses"), lambda name, spec: (name, spec["cost"], spec["loss"])),
    "runtimes": (
        ("runtime", "runs", "installed", "summary"),
        lambda name, spec: (name, ", ".join(spec["formats"]), _importable(spec["needs"]), spec["summary"]),
    ),
    "protocols": (("protocol", "summary"), lambda name, spec: (name, spec["summary"])),
    "samples": (("sample", "licence", "summary"), lambda name, spec: (name, spec["licence"]["name"], spec["summary"])),
    "checks": (("check", "run by"), lambda name, spec: (name, spec["run"])),
}
_NOTES = {
    "models": "easy, medium, hard: published average precision on WIDER FACE val. commercial: whether the\n"
    "licences of code, weights and training data all allow commercial use. zoo info MODEL tells more."
}


@click.command("list", epilog="Example:  zoo list runtimes --json")
@click.argument("kind", default="models", metavar="[models|methods|plugins|runtimes|formats|...]")
@json_option
def list_(kind: str, as_json: bool) -> None:
    """List what is installed: models (the default), methods, plugins, formats, converters, runtimes, protocols, samples
    or checks."""
    known = ["plugins", *KINDS]
    if kind not in known:
        raise UsageError(f"There is no list of {kind!r}.{suggestion(kind, known)} Known lists: {', '.join(known)}.")
    found = installed()
    if kind == "plugins":
        _list_plugins(found, as_json)
        return
    entries = found.entries(kind)
    if as_json:
        print_json([{"plugin": entries.owner(name), **entries.document(name)} for name in entries])
        return
    headers, row = COLUMNS[kind]
    print_table(headers, [row(name, entries.document(name)) for name in entries])
    if kind in _NOTES and len(entries):
        click.echo(f"\n{_NOTES[kind]}")


def _list_plugins(found: Catalogue, as_json: bool) -> None:
    broken = {name for problem in found.problems for name in problem.names}
    rows = [
        (plugin.name, plugin.distribution, plugin.version, plugin.module, "broken" if plugin.name in broken else "ok")
        for plugin in found.plugins.values()
    ]
    headers = ("plugin", "distribution", "version", "module", "state")
    if as_json:
        print_json([dict(zip(headers, row, strict=True)) for row in rows])
    else:
        print_table(headers, rows)


@click.command(epilog="Example:  zoo info yunet_n")
@click.argument("name")
@json_option
def info(name: str, as_json: bool) -> None:
    """Tell everything about NAME: a model, a method, a plugin, a runtime, a sample or any other entry. Where one name
    means several things, say which: plugin:onnx."""
    found = installed()
    document = _with_options(_find(found, name))
    if as_json:
        print_json(document)
        return
    for line in _lines(document):
        click.echo(line)


def _with_options(document: dict[str, Any]) -> dict[str, Any]:
    """The document of a format or converter with what its options classes hold: what each option takes and does."""
    if document["kind"] not in ("format", "converter"):
        return document
    from zoo.options import describe
    from zoo.plugins import resolve

    for field in ("options", "read_options", "write_options"):
        if document.get(field):
            described = describe(resolve(document[field]))  # type: ignore[arg-type]
            document[field] = {name: f"{one.help} Takes {one.wants}." for name, one in described.items()}
    return document


def _find(found: Catalogue, word: str) -> dict[str, Any]:
    asked, _, name = word.rpartition(":")
    for kind in (kind for kind in KINDS if asked in ("", kind.removesuffix("s"))):
        entries = found.entries(kind)
        if name in entries:
            document = {"kind": kind.removesuffix("s"), "plugin": entries.owner(name), **entries.document(name)}
            return {**document, "models": found.models_of(name)} if kind == "methods" else document
    problem = next((p for p in found.problems if name in p.names or name in str(p.entries)), None)
    if problem:
        return {"kind": "problem", "what": problem.sentence, "traceback": problem.traceback}
    if name in found.plugins and asked in ("", "plugin"):
        plugin = found.plugins[name]
        brings = {kind: [n for n in found.entries(kind) if found.entries(kind).owner(n) == name] for kind in KINDS}
        return {
            "kind": "plugin",
            **plugin._asdict(),
            "brings": {kind: names for kind, names in brings.items() if names},
        }
    known = [*found.plugins, *(n for kind in KINDS for n in found.entries(kind))]
    raise UsageError(f"Nothing is called {word!r}.{suggestion(name, known)} `zoo list` shows what there is.")


def _lines(document: Mapping[str, Any], indent: str = "") -> list[str]:
    """A nested document as indented ``key: value`` lines, empty values left out."""
    lines: list[str] = []
    for key, value in document.items():
        if value in ("", None, 0, 0.0) or value == [] or value == {}:
            continue
        label = f"{indent}{key}:"
        if isinstance(value, Mapping):
            lines += [label, *_lines(value, indent + "  ")]
        elif isinstance(value, list) and isinstance(value[0], Mapping):
            lines.append(label)
            lines += [line for item in value for line in _item_lines(item, indent)]
        elif isinstance(value, str) and "\n" in value:
            lines += [label, *(f"{indent}  {line}" for line in value.splitlines())]
        else:
            lines.append(f"{label} {_inline(value)}")
    return lines


def _item_lines(item: Mapping[str, Any], indent: str) -> list[str]:
    first, *rest = _lines(item, indent + "    ")
    return [f"{indent}  - {first.lstrip()}", *rest]


def _inline(value: Any) -> str:
    return ", ".join(_inline(item) for item in value) if isinstance(value, list) else str(value)


def _importable(modules: list[str]) -> str:
    from importlib.util import find_spec

    return "yes" if all(find_spec(module) for module in modules) else "no"


@click.command(epilog="Example:  zoo search commercial mobilenet")
@click.argument("words", nargs=-1, required=True)
@json_option
def search(words: tuple[str, ...], as_json: bool) -> None:
    """Find the models whose cards contain all WORDS (id, method, architecture, summary, licences, paper)."""
    from zoo.registry import search as search_cards

    cards = installed().cards
    found = [card.id for card in search_cards(dict(cards), " ".join(words))]
    if as_json:
        print_json([cards.document(name) for name in found])
        return
    if not found:
        click.echo(f"No model's card contains {' and '.join(words)}; `zoo list` shows all models.", err=True)
        return
    headers, row = COLUMNS["models"]
    print_table(headers, [row(name, cards.document(name)) for name in found])
