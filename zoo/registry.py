"""Reads registry files: the cards of models and of sample photographs, written as YAML, and never as code.

A registry comes with the zoo or from anybody's plugin, so a file is not trusted: `zoo.plainyaml` bounds it, and here
every field is checked. ``docs/registry.md`` says what may stand in one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from zoo import plainyaml
from zoo.errors import ModelError, RuntimeMissingError, WeightsError, ZooError, suggestion
from zoo.specs import Licence, Metric, ModelCard, Preprocess, SampleCard, Thresholds, WeightFile, from_json, to_json

SCHEMA = 1
"""The version of the registry's layout that this zoo reads."""

LONGEST_CARD = 1 << 20
"""Characters of a card inside a model file."""

TEMPLATE = "x-"
"""Top-level keys that begin so hold what several cards share; only their anchors matter."""

_ID = re.compile(r"[a-z0-9_.]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SIZE = re.compile(r"[1-9][0-9]*x[1-9][0-9]*")
_SOURCES = {
    "package": re.compile(r"package:[\w.-]+/[^\s#]+(#\w+)?"),
    "pypi": re.compile(r"pypi:[\w.-]+==[\w.+!-]+/[^\s#]+(#\w+)?"),
    "https": re.compile(r"https://[^\s/]+/\S+"),
}
_COMMERCIAL = ("yes", "no", "unclear")
_Card = TypeVar("_Card", ModelCard, SampleCard)


@dataclass(frozen=True)
class Registry:
    """What a registry file holds, by id and in the file's order."""

    models: dict[str, ModelCard]
    samples: dict[str, SampleCard]


def builtin_path() -> Path:
    """The registry of the built-in models: the source tree's, because an editable install's copy goes stale, else the
    one that is packaged with `zoo`."""
    package = Path(__file__).resolve().parent
    tree = package.parent
    if (tree / "registry.yaml").is_file() and (tree / "pyproject.toml").is_file():
        return tree / "registry.yaml"
    return package / "registry.yaml"


def read(path: Path) -> Registry:
    """Read a registry file (UTF-8 YAML, at most 1 MiB) and check every card in it.

    Raises `ZooError` that names the file, and where they apply the line, the card and the field.
    """
    try:
        document = _document(plainyaml.read(path))
        return Registry(
            models=_cards(ModelCard, "model", document.get("models") or {}),
            samples=_cards(SampleCard, "sample", document.get("samples") or {}),
        )
    except ValueError as error:
        raise ZooError(f"{path}: {error}") from error


def dump_card(card: ModelCard) -> str:
    """The card as the JSON text that travels inside a model file: all but where its weights once came from."""
    return json.dumps(to_json(replace(card, weights=())), ensure_ascii=False, sort_keys=True)


def parse_card(text: str, where: str) -> ModelCard:
    """The card that `dump_card` wrote, checked like one of a registry, for it may come from anybody.

    Raises `ModelError` that names the file `where` when it is none.
    """
    try:
        document = json.loads(text)
        if len(text) > LONGEST_CARD or not isinstance(document, dict):
            raise ValueError(f"a card is a mapping of fields, at most {LONGEST_CARD} characters long")
        card: ModelCard = _card(ModelCard, str(document.pop("id", "")), document)
        return card
    except (ValueError, RecursionError) as error:
        said = str(error).rstrip(".")
        raise ModelError(
            f"The card inside {where} is damaged: {said}; say with card=MODEL which model it is."
        ) from None


def pick_weights(card: ModelCard, formats: Sequence[str]) -> WeightFile:
    """The card's first weight file in one of `formats`, which are those that a runtime can execute.

    Raises `WeightsError` when the card lists no file at all, `RuntimeMissingError` when none is in such a format.
    """
    if not card.weights:
        raise WeightsError(f"The card of {card.id} lists no weights; give a file with --weights FILE.")
    for file in card.weights:
        if file.format in formats:
            return file
    has = " and ".join(sorted({file.format for file in card.weights}))
    runs = " and ".join(formats) or "nothing"
    raise RuntimeMissingError(
        f"{card.id} has weights as {has}, but the runtimes at hand execute {runs}; install a runtime for {has}."
    )


def search(models: Mapping[str, ModelCard], text: str) -> list[ModelCard]:
    """The cards that have every word of `text`, ignoring case, in id, method, architecture, summary or a licence's
    name. A hit in the id counts most; cards of equal rank keep their order."""
    words = text.casefold().split()
    ranked = [(card, [_rank(card, word) for word in words]) for card in models.values()]
    found = [(card, ranks) for card, ranks in ranked if all(ranks)]
    return [card for card, _ in sorted(found, key=lambda entry: -sum(entry[1]))]


def _rank(card: ModelCard, word: str) -> int:
    """How well one case-folded word fits a card: 0 is not at all."""
    if word == card.id:
        return 16
    licences = " ".join(licence.name for licence in _licences(card))
    places = ((8, card.id), (4, card.method), (4, card.architecture), (2, card.summary), (1, licences))
    return max((weight for weight, place in places if word in place.casefold()), default=0)


def _document(document: Any) -> Mapping[str, Any]:
    """The file's top level, with its keys and schema checked."""
    if not isinstance(document, dict):
        raise ValueError("a registry file is a mapping with the keys schema, models and samples.")
    if document.get("schema") != SCHEMA or isinstance(document["schema"], bool):
        stated = document.get("schema")
        raise ValueError(f"its schema is {stated!r}, but this zoo reads schema {SCHEMA}; update whichever is older.")
    known = ("schema", "models", "samples")
    for key in document:
        if key not in known and not key.startswith(TEMPLATE):
            raise ValueError(f"unknown top-level key {key!r}.{suggestion(key, known)}")
    return document


def _cards(cls: type[_Card], kind: str, documents: Any) -> dict[str, _Card]:
    """The cards of one kind, by id. Raises `ValueError` that names the card."""
    if not isinstance(documents, dict):
        raise ValueError(f"{kind}s must be a mapping from id to card.")
    made = {}
    for name, document in documents.items():
        try:
            made[name] = _card(cls, name, document)
        except ValueError as error:
            raise ValueError(f"{kind} {name}: {error}") from error
    return made


def _card(cls: type[_Card], name: str, document: Any) -> _Card:
    if not _ID.fullmatch(name):
        raise ValueError("an id consists of lower-case letters, digits, _ and the full stop.")
    if not isinstance(document, dict):
        raise ValueError("a card is a mapping of fields.")
    if "id" in document:
        raise ValueError("the id is the card's key and not a field.")
    card: _Card = from_json(cls, {**document, "id": name})
    faults = _model_faults(card) if isinstance(card, ModelCard) else _sample_faults(card)
    for fault in faults:
        raise ValueError(f"{fault}.")
    return card


def _model_faults(card: ModelCard) -> Iterator[str]:
    """What is wrong with a card whose types are right, a sentence each."""
    yield from (f"field {name!r} is empty" for name in ("method", "summary") if not getattr(card, name))
    if not _ID.fullmatch(card.detector or card.id):
        yield f"field 'detector' must be the id of a model, not {card.detector!r}"
    yield from _negatives(card, "keypoints", "landmarks", "embedding", "parameters", "mflops")
    if card.mflops and not _SIZE.fullmatch(card.mflops_size):
        yield f"field 'mflops_size' must say at which WIDTHxHEIGHT, not {card.mflops_size!r}"
    yield from _words(card, precision=("float32", "float16", "int8", "weights8", "decimal3"))
    yield from _preprocess_faults(card.preprocess)
    for name, thresholds in card.thresholds.items():
        yield from _threshold_faults(name, thresholds)
    if card.thresholds and "photo" not in card.thresholds:
        yield "thresholds need the set 'photo', which is the default"
    names = [file.name for file in card.weights]
    for file in card.weights:
        yield from _file_faults(file)
        if names.count(file.name) > 1:
            yield f"two weight files have the name {file.name!r}"
    for licence in _licences(card):
        yield from _licence_faults(licence)
    for metric in card.metrics:
        yield from _metric_faults(metric)


def _sample_faults(card: SampleCard) -> Iterator[str]:
    yield from _file_faults(card.file)
    if not card.file.sha256:
        yield f"file {card.file.name!r} needs a sha256"
    yield from _licence_faults(card.licence)


def _preprocess_faults(contract: Preprocess) -> Iterator[str]:
    if contract.multiple < 1:
        yield f"field 'multiple' must be at least 1, not {contract.multiple}"
    elif contract.size != "original":
        sides = contract.size.split("x") if _SIZE.fullmatch(contract.size) else ()
        if not sides or any(int(side) % contract.multiple for side in sides):
            wanted = f"'original' or WIDTHxHEIGHT in multiples of {contract.multiple}"
            yield f"field 'size' must be {wanted}, not {contract.size!r}"
    yield from _words(contract, colour=("bgr", "rgb"), layout=("nchw", "nhwc"))
    if not all(map(math.isfinite, (*contract.mean, contract.scale, *contract.std, contract.pad))):
        yield "fields 'mean', 'scale', 'std' and 'pad' must be finite"
    if contract.scale <= 0 or min(contract.std) <= 0:
        yield "fields 'scale' and 'std' must be above 0"
    yield from _crop_faults(contract)


def _crop_faults(contract: Preprocess) -> Iterator[str]:
    crop = contract.crop
    yield from _words(
        crop, kind=("", "square", "window", "clipped", "box", "aligned"), resample=("bilinear", "bicubic")
    )
    if not 0 < crop.scale < math.inf:
        yield f"field 'scale' of the crop must be a number above 0, not {crop.scale}"
    if crop.kind and contract.size == "original":
        yield "field 'size' must be WIDTHxHEIGHT where there is a crop, which fills it"


def _threshold_faults(name: str, thresholds: Thresholds) -> Iterator[str]:
    for field in fields(thresholds):
        value = getattr(thresholds, field.name)
        if not 0 <= value <= 1:
            yield f"threshold {field.name!r} of the set {name!r} must lie in 0..1, not {value}"


def _metric_faults(metric: Metric) -> Iterator[str]:
    for name, value in metric.values.items():
        if not 0 <= value <= 1:
            yield f"metric {name!r} on {metric.dataset} must lie in 0..1, not {value}"


def _file_faults(file: WeightFile) -> Iterator[str]:
    if not file.name or re.search(r'[/\\:*?"<>|\s]|^\.', file.name):
        yield f"{file.name!r} is not a plain file name"
    if not file.format:
        yield f"file {file.name!r} needs a format"
    if file.sha256 and not _SHA256.fullmatch(file.sha256):
        yield f"the sha256 of {file.name!r} must be 64 lower-case hexadecimal digits, not {file.sha256!r}"
    if file.sources and not file.sha256:
        yield f"file {file.name!r} has a source, so it needs a sha256"
    yield from _negatives(file, "size")
    for source in file.sources:
        pattern = _SOURCES.get(source.partition(":")[0])
        if pattern is None or not pattern.fullmatch(source):
            yield (
                f"source {source!r} of {file.name!r} must be package:NAME/MEMBER, pypi:NAME==VERSION/MEMBER or "
                "https://HOST/PATH"
            )


def _licence_faults(licence: Licence) -> Iterator[str]:
    if licence.commercial not in _COMMERCIAL:
        yield f"field 'commercial' must be yes, no or unclear, not {licence.commercial!r}"


def _words(spec: Any, **known: tuple[str, ...]) -> Iterator[str]:
    """The fields whose value is none of the words `known` for it."""
    for name, words in known.items():
        if getattr(spec, name) not in words:
            yield f"field {name!r} must be {' or '.join(filter(None, words))}, not {getattr(spec, name)!r}"


def _negatives(spec: Any, *names: str) -> Iterator[str]:
    for name in names:
        if not 0 <= getattr(spec, name) < math.inf:
            yield f"field {name!r} must be a number from 0, not {getattr(spec, name)}"


def _licences(card: ModelCard) -> tuple[Licence, Licence, Licence]:
    return card.licences.code, card.licences.weights, card.licences.data
