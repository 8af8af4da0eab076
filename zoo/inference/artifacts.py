"""What a model file is: its format, and the card that describes it.

A card is known by the file's hash, from the text inside the file, or from the names and shapes of its tensors; a user
who says the card is believed as far as the file does not contradict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo.datasets.recognise import SURE, ranked
from zoo.errors import ModelError, PluginError, UsageError, ZooError
from zoo.files import sha256
from zoo.plugins import catalogue, resolve
from zoo.registry import parse_card
from zoo.runtimes import open_session
from zoo.specs import FormatSpec, ModelCard

TRAINED = "best.pth"
"""The file by which a run folder of training is a model."""


@dataclass(frozen=True)
class Artifact:
    """A model on disk: where, in which format, and what it is. `how` says how the card was found, as a phrase, and
    `doubt` as a sentence what else the file may be, of which nothing in it tells."""

    path: Path
    format: str
    card: ModelCard
    how: str = ""
    doubt: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that make it up."""
        spec = catalogue().formats[self.format]
        return tuple(resolve(spec.files)(self.path)) if spec.files else (self.path,)


def identify(
    path: Path, format: str = "", card: str = "", described: tuple[str, Mapping[str, Any]] | None = None
) -> Artifact:
    """What the model at `path` is, in `format` or else in the one that it is recognised to be. The run folder of a
    training means its best weights.

    `card` is a model's id, for files that do not tell; `described` an architecture with its arguments, as an upstream
    configuration says them.

    Raises `UsageError` when there is nothing there, or nothing tells what it is; `ModelError` for a file of another
    model than `card`.
    """
    for kind, name in ((catalogue().cards, card), (catalogue().formats, format)):
        _ = kind[name] if name else None  # raises for a name that nobody knows
    path = meant(path)
    owners = owners_of(path)
    if card and owners and card not in owners:
        raise ModelError(f"{path} is a file of {' and '.join(owners)}, not of {card}.")
    if owners:
        owner = card or next(iter(owners))
        if format not in ("", owners[owner]):
            raise UsageError(f"{path} is known by its hash to be a file of {owners[owner]}, not of {format}.")
        return Artifact(path, owners[owner], catalogue().cards[owner], "known by its hash")
    spec = format_of(path, format)
    if inside := card_inside(path, spec):
        _require_same(inside, card, path)
        return Artifact(path, spec.name, inside, "described by the card inside it")
    if described:
        return _of_architecture(path, spec, *described, card, "built as its configuration says")
    return _by_tensors(path, spec, card)


def meant(path: Path) -> Path:
    """The model that `path` means: of the run folder of a training its best weights, else what is there itself."""
    return path / TRAINED if (path / TRAINED).is_file() else path


def owners_of(path: Path) -> dict[str, str]:
    """The cards that list a file of this content, and the format in each."""
    if not path.is_file():
        return {}
    digest, cards = sha256(path), catalogue().cards
    return {
        name: file["format"] for name in cards for file in cards.document(name)["weights"] if file["sha256"] == digest
    }


def model_formats() -> list[FormatSpec]:
    """The formats of models that are installed."""
    return [spec for spec in catalogue().formats.values() if "model" in spec.kinds]


def is_a_model(path: Path, format: str = "") -> bool:
    """Whether `path` is surest of being a model, not a data set; `format` names what it is."""
    formats = catalogue().formats
    if format:
        return "model" in formats[format].kinds
    if (path / TRAINED).is_file():
        return True
    best = next((found for found in ranked(path, formats) if found.confidence >= SURE), None)
    return best is not None and "model" in formats[best.format].kinds


def format_of(path: Path, name: str = "") -> FormatSpec:
    """The format of the model at `path`, which may be what the names of several files begin with; `name` is what a user
    says that it is. Raises `UsageError` where nothing is there, `ModelError` for no model."""
    formats = catalogue().formats
    if name:
        if "model" not in formats[name].kinds:
            raise UsageError(f"{name} is a format of data sets, not of models.")
        return formats[name]
    models = {spec.name for spec in model_formats()}
    found = next((sniffed for sniffed in ranked(path, formats) if sniffed.format in models), None)
    if found is None or not found.confidence:
        if not path.exists():
            raise UsageError(f"There is no model file {path}.")
        raise ModelError(f"{path} is in no model format that the zoo knows ({', '.join(sorted(models))}).")
    return formats[found.format]


def card_inside(path: Path, spec: FormatSpec) -> ModelCard | None:
    """The card that the file at `path` carries, if it does."""
    text = resolve(spec.read_card)(path) if spec.read_card else ""
    return parse_card(text, path.name) if text else None


def _require_same(inside: ModelCard, card: str, path: Path) -> None:
    if card and card != inside.id:
        raise ModelError(f"{path} says itself that it is {inside.id}, not {card}.")
    if inside.method not in catalogue().methods:
        raise ModelError(f"{path} is a model of the method {inside.method}, which is not installed.")


def _by_tensors(path: Path, spec: FormatSpec, card: str) -> Artifact:
    """By the names and shapes of a weight file's tensors, or by what the user says."""
    if said := _configured(path, spec, card):
        return _of_architecture(path, spec, *said, card, "built as the file says that it was configured")
    if spec.tensors:
        shapes: Mapping[str, tuple[int, ...]] = resolve(spec.tensors)(path)
        methods = [catalogue().cards[card].method] if card else [*catalogue().methods]
        for architecture, arguments, method in _recognised(shapes, methods):
            return _of_architecture(path, spec, architecture, arguments, card, "recognised by its tensors", method)
        if card and _needs_network(spec) and catalogue().methods[catalogue().cards[card].method].recognise:
            raise ModelError(f"{path} holds weights of another network than {card}'s.")
    if card:
        return Artifact(path, spec.name, _as_laid_out(path, spec, catalogue().cards[card]), "said by you")
    raise UsageError(f"Nothing tells what model {path} is: say with card=MODEL whose {spec.name} file it is.")


def _as_laid_out(path: Path, spec: FormatSpec, card: ModelCard) -> ModelCard:
    """`card` with the order of dimensions that the file's own input has, which converters change, where its three
    channels tell that order."""
    try:
        shape = open_session(path, spec.name, threads=1, device="cpu", card=card).inputs[0].shape
    except ZooError:  # it is told where the file is used
        return card
    found = {(True, False): "nchw", (False, True): "nhwc"}.get((shape[1:2] == (3,), shape[3:] == (3,)))
    return replace(card, preprocess=replace(card.preprocess, layout=found)) if found else card


def _needs_network(spec: FormatSpec) -> bool:
    """Whether files of the format hold weights alone: then nothing executes them that is not given the card."""
    return all(runtime.card for runtime in catalogue().runtimes.values() if spec.name in runtime.formats)


def _configured(path: Path, spec: FormatSpec, card: str) -> tuple[str, Mapping[str, Any]] | None:
    """(architecture, arguments) from the hyper-parameters that a file holds beside its weights."""
    document: Mapping[str, Any] = resolve(spec.configured)(path) if spec.configured else {}
    return described_by(document, card) if document else None


def described_by(document: Mapping[str, Any], card: str = "") -> tuple[str, Mapping[str, Any]] | None:
    """(architecture, arguments) of the network that a configuration describes, by the method that knows it: the
    `card`'s, or any."""
    methods = [catalogue().cards[card].method] if card else [*catalogue().methods]
    for name in methods:
        method = catalogue().methods[name]
        found: tuple[str, Mapping[str, Any]] | None = resolve(method.config)(document) if method.config else None
        if found:
            return found
    return None


def _recognised(
    shapes: Mapping[str, tuple[int, ...]], methods: list[str]
) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    for name in methods:
        method = catalogue().methods[name]
        if not method.recognise:
            continue
        try:
            found = resolve(method.recognise)(shapes)
        except PluginError:  # a method whose framework is not installed can hardly be meant
            if len(methods) == 1:
                raise
            continue
        if found:
            yield found[0], found[1], name


def _of_architecture(
    path: Path, spec: FormatSpec, architecture: str, arguments: Mapping[str, Any], card: str, how: str, method: str = ""
) -> Artifact:
    """The card of an architecture. Several may share one and differ in what no tensor tells, such as anchors; what a
    card says of its network stays where the file does not say otherwise."""
    cards = catalogue().cards
    fitting = [card] if card else _nearest(architecture, arguments, method)
    if not fitting:
        raise ModelError(
            f"{path} is a {architecture}, of which there is no card; say with card=MODEL what it is used as."
        )
    if len(fitting) > 1:
        raise UsageError(
            f"{path} may be {' or '.join(fitting)}: they have the same tensors and differ in how these are read; say"
            " with card=MODEL which it is."
        )
    found = cards[fitting[0]]
    _require_fit(path, found, architecture, arguments)
    doubt = "" if card else _doubt(path, found, arguments)
    return Artifact(path, spec.name, replace(found, network={**found.network, **arguments}), how, doubt)


def _doubt(path: Path, card: ModelCard, arguments: Mapping[str, Any]) -> str:
    """The sentence of `Artifact.doubt` for a file that was taken for the `card`'s because of its tensors."""
    alike = [one for one, other in catalogue().methods[card.method].alike.items() if other == card.architecture]
    others = " or ".join(name for one in alike for name in _nearest(one, arguments, card.method))
    if not others:
        return ""
    return (
        f"{path} is taken for {card.id}; {others} has the same tensors and computes other numbers of them: say with"
        f" card=MODEL which it is."
    )


def _nearest(architecture: str, arguments: Mapping[str, Any], method: str) -> list[str]:
    """The cards of an `architecture` that say no other of its `arguments`, and most of them."""
    documents = {name: catalogue().cards.document(name) for name in catalogue().cards}
    agreed: dict[str, int] = {}
    for name, document in documents.items():
        if document["architecture"] == architecture and method in ("", document["method"]):
            said = document["network"]
            if not _contradicting(said, arguments):
                agreed[name] = sum(key in said for key in arguments)
    return [name for name, count in agreed.items() if count == max(agreed.values())]


def _contradicting(said: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """The arguments of a network that are `found` to be others than a card has `said`."""
    return [name for name, value in found.items() if name in said and _lists(said[name]) != _lists(value)]


def _lists(value: Any) -> Any:
    return [*map(_lists, value)] if isinstance(value, list | tuple) else value


def _require_fit(path: Path, card: ModelCard, architecture: str, arguments: Mapping[str, Any]) -> None:
    """Raise `ModelError` for a card of another network than the file's. That of an architecture which `alike` names
    beside the file's is none."""
    alike = catalogue().methods[card.method].alike
    if card.architecture and architecture not in (card.architecture, alike.get(card.architecture)):
        raise ModelError(f"{path} holds a {architecture}, and {card.id} is a {card.architecture}.")
    for name in _contradicting(card.network, arguments):
        raise ModelError(
            f"{path} holds a network with {name}={arguments[name]}, and {card.id} has {card.network[name]}."
        )
