"""Running a conversion of a model: hop by hop in a scratch folder, compared with the original at each, then renamed."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from zoo import receipts
from zoo.errors import ModelError, ParityError, UsageError, WeightsError, ZooError
from zoo.files import unwritable
from zoo.images import read as read_image
from zoo.inference.artifacts import Artifact
from zoo.models import decoded, parity
from zoo.models.edges import Edge, Finding
from zoo.models.limits import LIMITS, Limits
from zoo.models.options import PortOptions
from zoo.models.parity import Parity
from zoo.models.plan import PortPlan, require_possible
from zoo.models.route import FLOAT
from zoo.plugins import catalogue, resolve
from zoo.registry import dump_card
from zoo.requests import Progress, Silent
from zoo.runtimes import Session
from zoo.specs import ConverterSpec, FormatSpec, ModelCard
from zoo.types import Image
from zoo.weights import WeightStore


@dataclass(frozen=True)
class Hop:
    """One edge that was gone: what it wrote, how that compares with the original, and what the edge itself found."""

    edge: ConverterSpec | None
    artifact: Artifact
    parity: Parity
    findings: tuple[Finding, ...] = ()

    @property
    def told(self) -> list[str]:
        """How it compares, in lines."""
        lines = [line for finding in self.findings for line in finding.told]
        return [*lines, f"{self.artifact.format}: {self._compared}"]

    @property
    def _compared(self) -> str:
        precision, worst = self.artifact.card.precision, self.parity.worst
        if worst is None:
            return "not compared"
        same = "same as the original" if precision == FLOAT else f"within what {precision} may differ"
        verdict = same if self.parity.holds else "DIFFERS from the original"
        return f"{verdict}: largest difference {worst.absolute:.1e} (output {worst.output})"

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        found = [dict(finding.facts) for finding in self.findings]
        return {"format": self.artifact.format, **self.parity.to_dict(), **({"found": found} if found else {})}


@dataclass(frozen=True)
class Ported:
    """A conversion that is done. `photos` says what both find in photographs; `notes` are lines worth reading."""

    target: Artifact
    receipt: Path
    hops: tuple[Hop, ...]
    photos: tuple[decoded.Decoded, ...]
    notes: tuple[str, ...]
    drifted: bool = False

    @property
    def told(self) -> list[str]:
        """How each hop compares with the original and what both find, in lines for people."""
        lines = [line for hop in self.hops for line in hop.told] + [str(photo) for photo in self.photos]
        return [*lines, "kept although it differs, as --accept-drift asks"] if self.drifted else lines

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "target": str(self.target.path),
            "format": self.target.format,
            "model": self.target.card.id,
            "receipt": str(self.receipt),
            "precision": self.target.card.precision,
            "hops": [hop.to_dict() for hop in self.hops],
            "photos": [photo.to_dict() for photo in self.photos],
            "notes": list(self.notes),
            "drift": self.drifted,
        }


def convert(plan: PortPlan, progress: Progress | None = None, allow_loss: bool = False) -> Ported:
    """Convert, compare, put the target in its place and write its receipt.

    Raises `UsageError` for a target that exists and for loss that is not allowed, `RuntimeMissingError` for what the
    way needs, `ModelError` for what cannot be converted, `ParityError` when the target differs from the original and
    this is not accepted, `ZooError` where nothing can be written. Then nothing is left behind.
    """
    require_possible(plan, allow_loss)
    started = time.perf_counter()
    with _scratch(plan.target) as work:
        run = _Run(plan, progress or Silent())
        hops = run.hops(work)
        photos = run.photos(hops[-1].artifact)
        drifted = _judge(plan, hops, photos)
        made = hops[-1].artifact.path
        target = Artifact(plan.target, plan.writes.name, hops[-1].artifact.card, "written by the zoo")
        facts = _facts(plan, target, hops, photos, drifted, run.notes)
        seconds = {"seconds": round(time.perf_counter() - started, 3)}
        receipt = receipts.write(work / receipt_path(plan.target).name, facts, (made,), seconds)
        require_possible(plan, allow_loss)  # somebody else may have been at work
        _place(made, plan.target, work)
        _place(receipt, receipt_path(plan.target), work)
    return Ported(target, receipt_path(target.path), tuple(hops), tuple(photos), tuple(run.notes), drifted)


def receipt_path(target: Path) -> Path:
    """Where the receipt of a model stands: beside it, under its whole name."""
    return target.with_name(target.name + receipts.SUFFIX)


class _Run:
    """One conversion under way."""

    def __init__(self, plan: PortPlan, progress: Progress) -> None:
        self.plan, self.progress, self.notes = plan, progress, list[str]()
        if plan.source.doubt:
            self.note(plan.source.doubt)
        self.photo = self._photo()
        self.original: Session | None = parity.runnable(plan.source)
        fixed = parity.only_size(self.original, plan.source.card) if self.original else None
        self.size = fixed or plan.size
        if self.original is None:
            self.note(f"nothing installed executes {plan.source.format} files, so there is no original to compare with")

    def note(self, message: str) -> None:
        """Tell the person, and keep it for the receipt."""
        self.notes.append(message)
        self.progress.note(message)

    def hops(self, work: Path) -> list[Hop]:
        """Go all edges."""
        artifact, done = self.plan.source, list[Hop]()
        steps = list(zip(self.plan.route.edges, self.plan.edge_options, strict=True))
        self.progress.start(f"{artifact.card.id}: converting", max(1, len(steps)))
        if not steps:
            _require_one(artifact)
            path = work / self.plan.target.name
            _copy(artifact.path, path)
            done.append(self._finished(None, Artifact(path, artifact.format, artifact.card)))
        for number, (edge, options) in enumerate(steps, 1):
            last = number == len(steps)
            path = work / (self.plan.target.name if last else f"hop{number}{_suffix(edge.dst)}")
            found = list[Finding]()
            artifact = self._go(edge, options, artifact, path, work / f"work{number}", found.append)
            done.append(self._finished(edge, artifact, tuple(found)))
            self.progress.advance()
        return done

    def _go(
        self,
        edge: ConverterSpec,
        options: Any,
        source: Artifact,
        path: Path,
        work: Path,
        record: Callable[[Finding], None],
    ) -> Artifact:
        work.mkdir()
        asked = Edge(source.path, path, source.card, work, self.size, self.plan.dynamic, options, self.note, record)
        card: ModelCard = resolve(edge.run)(asked)
        if not path.exists():
            raise ModelError(f"The converter {edge.src} -> {edge.dst} wrote nothing: that is a defect of its plugin.")
        return Artifact(path, edge.dst, replace(card, precision=edge.precision or source.card.precision))

    def _finished(self, edge: ConverterSpec | None, artifact: Artifact, found: tuple[Finding, ...] = ()) -> Hop:
        spec = catalogue().formats[artifact.format]
        if spec.write_card:
            resolve(spec.write_card)(artifact.path, dump_card(artifact.card))
        return Hop(edge, artifact, self._measure(artifact), found)

    def _measure(self, product: Artifact) -> Parity:
        session = parity.runnable(product)
        if self.original is None:
            return Parity("", ())
        if session is None:
            self.note(f"nothing installed executes {product.format} files, so this one was not compared")
            return Parity("", ())
        cards, limits = (self.plan.source.card, product.card), limits_for(product.card, self.plan.options)
        return parity.between(self.original, session, cards, self.size, self.plan.options.samples, limits.raw)

    def photos(self, product: Artifact) -> list[decoded.Decoded]:
        """What both find in the photograph."""
        if self.original is None or self.photo is None or parity.runnable(product) is None:
            return []
        name, photo = self.photo
        limits = limits_for(product.card, self.plan.options)
        return [decoded.compare(self.plan.source, product, photo, name, limits)]

    def _photo(self) -> tuple[str, Image] | None:
        """The photograph, read before anything is converted."""
        if self.plan.options.photo == "none":
            return None
        try:
            return photograph(self.plan.options.photo)
        except WeightsError as error:
            self.note(f"the photograph is not at hand, so found faces were not compared: {error}")
            return None


def limits_for(card: ModelCard, options: PortOptions) -> Limits:
    """What a product with this card may differ from its original: what its precision may, unless another tolerance is
    asked for."""
    limits = LIMITS[card.precision]
    return limits if options.tolerance is None else replace(limits, raw=options.tolerance)


def photograph(text: str) -> tuple[str, Image]:
    """A photograph by its path or as ``sample:ID``: its name and pixels (H, W, 3) uint8 BGR. Raises `WeightsError` when
    a sample cannot be had, `InputError` for a file that is no image."""
    kind, _, name = text.partition(":")
    if kind != "sample":
        return Path(text).name, read_image(Path(text))
    card = catalogue().samples[name]
    return text, read_image(WeightStore().path(card.file, text, card.licence))


def _judge(plan: PortPlan, hops: Sequence[Hop], photos: Sequence[decoded.Decoded]) -> bool:
    """Whether the target differs from the original. Raises `ParityError` when that is not accepted."""
    failed = next((hop for hop in hops if not hop.parity.holds), None)
    lost = next((finding for hop in hops for finding in hop.findings if not finding.holds), None)
    found = next((photo for photo in photos if not photo.holds), None)
    if failed is None and lost is None and found is None:
        return False
    if plan.options.accept_drift:
        return True
    if failed is not None and (worst := failed.parity.worst):
        raise ParityError(
            f"The {failed.artifact.format} of {plan.source.card.id} is not the same model: its output {worst.output}"
            f" differs on {worst.probe} by {worst.absolute:.2e} ({worst.relative:.2e} of its largest value, allowed"
            f" {limits_for(failed.artifact.card, plan.options).raw:.0e}); nothing was written, --accept-drift keeps"
            " it.",
            failed.parity.table(),
        )
    if lost is not None:
        raise ParityError(
            f"The {plan.writes.name} of {plan.source.card.id} in {plan.precision} loses more than that may; nothing was"
            " written, --accept-drift keeps it.",
            "\n".join(lost.told),
        )
    raise ParityError(
        f"The {plan.writes.name} of {plan.source.card.id} does not find the same faces: {found}; nothing was written,"
        " --accept-drift keeps it."
    )


def _facts(
    plan: PortPlan,
    target: Artifact,
    hops: Sequence[Hop],
    photos: Sequence[decoded.Decoded],
    drifted: bool,
    notes: Sequence[str],
) -> dict[str, Any]:
    """What the receipt says and what a replay needs."""
    card = target.card
    return {
        "task": "convert model",
        "model": card.id,
        "known": plan.source.how,
        "source": {
            "path": str(plan.source.path),
            "format": plan.source.format,
            "files": [receipts.describe(file, plan.source.path.parent) for file in plan.source.files],
        },
        "format": target.format,
        "card": json.loads(dump_card(card)),
        "route": [
            {
                "from": hop.edge.src,
                "to": hop.edge.dst,
                "precision": hop.edge.precision,
                "loses": hop.edge.loss,
                "options": _plain(options),
            }
            for hop, options in zip(hops, plan.edge_options, strict=False)
            if hop.edge
        ],
        "options": asdict(plan.options),
        "size": list(plan.size),
        "dynamic": sorted(plan.dynamic),
        "limits": limits_for(card, plan.options).to_dict(),
        "parity": {"hops": [hop.to_dict() for hop in hops], "photos": [photo.to_dict() for photo in photos]},
        "drift": drifted,
        "notes": list(notes),
        "licences": {name: licence["name"] for name, licence in asdict(card.licences).items()},
    }


def _plain(options: Any) -> dict[str, Any]:
    return asdict(options) if options is not None else {}


def _suffix(format: str) -> str:
    spec: FormatSpec = catalogue().formats[format]
    return spec.suffixes[0] if spec.suffixes else ""


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    """An empty hidden folder beside the target, removed in the end. An error speaks of the target, not of the folder;
    a disk that is full, however a converter says it, becomes a `ZooError`."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    except OSError as error:
        raise unwritable(target, error) from error
    try:
        yield work
    except OSError as error:
        raise unwritable(target, error) from error
    except ZooError as error:
        error.args = (str(error).replace(str(work / "-")[:-1], str(target.parent / "-")[:-1]),)
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _require_one(source: Artifact) -> None:
    if len(source.files) > 1:
        names = ", ".join(file.name for file in source.files)
        raise UsageError(f"{source.path} consists of {names}, which a copy of one would part: copy them yourself.")


def _place(made: Path, target: Path, work: Path) -> None:
    """Give what was made its name; what was there before goes with the scratch folder."""
    if target.exists():
        target.replace(work / f"before {target.name}")
    made.replace(target)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
