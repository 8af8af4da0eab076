"""From a name to a model that can be called: card, weights, options, and the plugin that puts them together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import ModelError, RuntimeMissingError, UsageError, WeightsError
from zoo.inference.artifacts import Artifact, identify
from zoo.inference.model import FunctionModel, Model
from zoo.options import make
from zoo.plugins import catalogue, resolve
from zoo.runtimes import Session, choose, open_session, usable
from zoo.specs import ModelCard, WeightFile
from zoo.weights import Settings, WeightStore, enforce


@dataclass(frozen=True)
class LoadRequest:
    """What a method's `load` gets: the card, the file `path` of the model format `format` (None for a card that lists
    no weights), what executes it, and `options`, an instance of the method's options dataclass. `store` found its
    weights and finds those of a model that it needs; None is the store of the environment."""

    card: ModelCard
    path: Path | None
    format: str
    runtime: str = ""
    threads: int = 0
    device: str = "auto"
    options: Any = None
    store: WeightStore | None = None

    def session(self) -> Session:
        """Open the file. Raises as `zoo.runtimes.open_session`."""
        if self.path is None:
            raise ModelError(f"Nobody publishes weights of {self.card.id}; give your own with --weights FILE.")
        return open_session(
            self.path, self.format, runtime=self.runtime, threads=self.threads, device=self.device, card=self.card
        )

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the model consists of."""
        return Artifact(self.path, self.format, self.card).files if self.path else ()

    @property
    def where(self) -> str:
        """The file's name, for messages."""
        return self.path.name if self.path else self.card.id

    def load(self) -> Model:
        """Load the model through its method's plugin."""
        loaded = resolve(catalogue().methods[self.card.method].load)(self)
        return loaded if isinstance(loaded, Model) else FunctionModel(loaded)

    def argument(self, name: str) -> Any:
        """The card's argument `name`. Raises `ModelError` when the card does not give it."""
        if name not in self.card.arguments:
            raise ModelError(f"The card {self.card.id} does not give {name}, which {self.card.method} needs.")
        return self.card.arguments[name]


def load(
    model: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    runtime: str = "",
    threads: int = 0,
    device: str = "auto",
    card: str = "",
    offline: bool | None = None,
    **options: Any,
) -> Model:
    """Load a model: a callable that takes an image (path, bytes, BGR array, or several of them) and gives its `Faces`.

    `model` is a model's id, a method's name (its default model), or the path of a model file, which is recognised by
    its hash or else described by `card`, a model's id. `weights` is a file to use in place of the card's, which are
    found on this machine or fetched; `offline` forbids the latter (default: the environment's ``ZOO_OFFLINE``).
    `runtime`, `threads` and `device` are those of `zoo.runtimes.open_session`. Further keywords are the model's
    options, for example ``size="640x640"``.

    Raises `UsageError` for unknown names and unfit options, `WeightsError` when weights cannot be had, `LicenceError`
    when the licence policy refuses the model, `ModelError` when the file does not fit the card, `RuntimeMissingError`
    when nothing installed can run it.
    """
    store = WeightStore(Settings.from_environment(offline=offline))
    return request(model, store, weights, runtime, threads, device, card, options).load()


def request(
    model: str | os.PathLike[str],
    store: WeightStore,
    weights: str | os.PathLike[str] | None = None,
    runtime: str = "",
    threads: int = 0,
    device: str = "auto",
    card: str = "",
    options: Mapping[str, Any] | None = None,
) -> LoadRequest:
    """What `load` will load, its weights found or fetched by `store` and everything checked that a name can tell.

    Parameters and errors are those of `load`.
    """
    if weights and not Path(weights).exists():
        raise WeightsError(f"There is no file of weights at {weights}.")
    brought = Path(weights or model) if weights or is_a_path(model) else None
    artifact = identify(brought, card=find_card(model, card).id if weights else card) if brought else None
    if artifact and artifact.doubt:
        store.say(artifact.doubt)
    found = artifact.card if artifact else find_card(model, card)
    method = catalogue().methods[found.method]
    made: Any = make(resolve(method.options), options or {})  # type: ignore[arg-type]
    enforce(found.licences, store.settings.policy, found.id)
    path, kind = (artifact.path, artifact.format) if artifact else _stored(found, runtime, store)
    return LoadRequest(found, path, kind, runtime, threads, device, made, store)


def find_card(model: str | os.PathLike[str], card: str = "") -> ModelCard:
    """The card of what `load` would load. Raises `UsageError` when nothing of that name is known."""
    name, known = os.fspath(model), catalogue()
    described = known.cards[card] if card else None
    if is_a_path(model):
        return identify(Path(model), card=card).card
    if described and name != card:
        raise UsageError(f"card={card} describes a model file, and {name} is none: leave the card out.")
    if name in known.cards:
        return known.cards[name]
    if name in known.methods:
        return known.cards[known.methods[name].default]
    if Path(name).suffix in (".onnx", ".pth", ".pt") or "/" in name or os.sep in name:
        raise UsageError(f"There is no model file {name}.")
    return known.cards[name]  # raises, with the nearest name


def is_a_path(model: str | os.PathLike[str]) -> bool:
    """Whether `model` means a file: known names go before files that happen to be called like them."""
    name = os.fspath(model)
    return name not in catalogue().cards and name not in catalogue().methods and Path(model).exists()


def _stored(card: ModelCard, runtime: str, store: WeightStore) -> tuple[Path | None, str]:
    """The card's first file that an installed runtime executes; files without a published hash only if nothing else."""
    if not card.weights:
        return None, ""
    runnable = [file for file in card.weights if usable(file.format, runtime)]
    if not runnable:
        _refuse(card.weights, card, runtime)
    chosen = next((file for file in runnable if file.sha256 or store.find(file, card.id)), runnable[0])
    return store.path(chosen, card.id, card.licences), chosen.format


def _refuse(files: tuple[WeightFile, ...], card: ModelCard, runtime: str) -> None:
    formats = list(dict.fromkeys(file.format for file in files))
    if runtime:
        choose(formats[0], runtime)  # raises, and says why
    raise RuntimeMissingError(f"No installed runtime can execute the files of {card.id} ({', '.join(formats)}).")
