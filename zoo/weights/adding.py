"""Taking a file that the user has: recognised by its hash, or recorded for a model that nobody publishes one for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import UsageError, WeightsError, suggestion
from zoo.files import sha256
from zoo.specs import ModelCard, WeightFile
from zoo.weights.cache import Cache
from zoo.weights.records import Records
from zoo.weights.sources import file_chunks
from zoo.weights.wheels import MAX_MEMBER


@dataclass(frozen=True)
class Wish:
    """For which `model`, and which of its files, the user takes a file; whether it may `replace` a recorded one."""

    model: str = ""
    file: str = ""
    replace: bool = False


@dataclass(frozen=True)
class Added:
    """A file that is in the cache now: at `path`, used by `models`, of `size` bytes. `recorded` says that its hash
    was taken from the file itself, and `message` tells a person what was done."""

    path: Path
    models: tuple[str, ...]
    file: str
    sha256: str
    size: int
    recorded: bool
    message: str


def add(cache: Cache, records: Records, file: Path, cards: Mapping[str, ModelCard], wish: Wish) -> Added:
    """See `WeightStore.add`."""
    try:
        given = WeightFile(file.name, "", sha256(file), file.stat().st_size)
    except OSError as error:
        raise WeightsError(f"{file} cannot be read: {error.strerror or error}; name a file of weights.") from error
    if wish.model and wish.model not in cards:
        raise UsageError(f"No model is called {wish.model!r}.{suggestion(wish.model, cards)}")
    known = _known(records, cards, given.sha256, wish)
    if known:
        return _kept(cache, file, given, known)
    if not wish.model:
        raise _unknown(file, given, cards)
    unpublished = _unpublished(file, given, cards[wish.model], wish.file)
    return _recorded(cache, records, file, dataclasses.replace(given, name=unpublished.name), wish)


def _known(records: Records, cards: Mapping[str, ModelCard], digest: str, wish: Wish) -> list[tuple[str, WeightFile]]:
    """The models, and the files of theirs, that have this hash by their cards or by a record."""
    return [
        (model, file)
        for model, card in sorted(cards.items())
        if wish.model in ("", model)
        for file in card.weights
        if wish.file in ("", file.name) and (pinned := records.pin(model, file)) and pinned.sha256 == digest
    ]


def _kept(cache: Cache, path: Path, given: WeightFile, known: list[tuple[str, WeightFile]]) -> Added:
    models = tuple(dict.fromkeys(model for model, _ in known))
    name = known[0][1].name
    recorded = all(not file.sha256 for _, file in known)
    kept = _copy(cache, path, dataclasses.replace(given, name=name))
    message = f"{path} is {name} of {', '.join(models)}: its sha256 {given.sha256} is the known one."
    return Added(kept, models, name, given.sha256, given.size, recorded, message)


def _recorded(cache: Cache, records: Records, path: Path, given: WeightFile, wish: Wish) -> Added:
    before = records.get(wish.model, given.name)
    if before and not wish.replace:
        raise WeightsError(
            f"{wish.model} uses another file as {given.name} since {before.added}: its sha256 is {before.sha256}, that "
            f"of {path} is {given.sha256}; to use the new one, add it with `--replace`."
        )
    kept = _copy(cache, path, given)
    records.put(wish.model, given)
    message = (
        f"{path} is {given.name} of {wish.model} from now on: nobody publishes its sha256, so that {given.sha256} was "
        "recorded from the file itself, and every later use is checked against it."
    )
    return Added(kept, (wish.model,), given.name, given.sha256, given.size, True, message)


def _copy(cache: Cache, path: Path, file: WeightFile) -> Path:
    try:
        if kept := cache.get(file):
            return kept
    except WeightsError:
        pass  # The copy in the cache is damaged; this one takes its place.
    return cache.put(file, file_chunks(path, MAX_MEMBER))


def _unpublished(path: Path, given: WeightFile, card: ModelCard, name: str) -> WeightFile:
    """The file of the card, without a published hash, that `path` may be taken for."""
    if name and name not in [file.name for file in card.weights]:
        raise UsageError(f"{card.id} has no file {name!r}.{suggestion(name, [file.name for file in card.weights])}")
    fitting = [file for file in card.weights if name == file.name or (not name and _same_suffix(file, path))]
    fitting = fitting or list(card.weights)
    open_ones = [file for file in fitting if not file.sha256]
    if len(open_ones) == 1:
        return open_ones[0]
    if open_ones:
        names = ", ".join(file.name for file in open_ones)
        raise WeightsError(f"{path} could be several files of {card.id}: {names}; say which with `--file NAME`.")
    published = ", ".join(f"{file.sha256} ({file.name})" for file in fitting) or "none, since its card names no file"
    raise WeightsError(
        f"{path} is not a file of {card.id}: its sha256 is {given.sha256}, the published one is {published}; get the "
        f"file that the card names, with `zoo fetch {card.id}`."
    )


def _same_suffix(file: WeightFile, path: Path) -> bool:
    return Path(file.name).suffix.lower() == path.suffix.lower()


def _unknown(path: Path, given: WeightFile, cards: Mapping[str, ModelCard]) -> WeightsError:
    models = sorted(model for model, card in cards.items() if any(not file.sha256 for file in card.weights))
    usable = f" (possible for {', '.join(models)})" if models else ""
    return WeightsError(
        f"No card knows the file {path} with sha256 {given.sha256}; if it is the file of a model that nobody publishes "
        f"a sha256 of, say so with `--as MODEL`{usable}."
    )
