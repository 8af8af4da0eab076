"""Checking an output against its receipt: every byte, and for a model that it still is the model it was made from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo import receipts
from zoo.errors import DONE, FAILED, PARITY, RuntimeMissingError, UsageError, WeightsError, ZooError
from zoo.inference.artifacts import Artifact, identify
from zoo.models import decoded, parity
from zoo.models.convert import photograph
from zoo.models.limits import LIMITS, Limits
from zoo.models.options import PortOptions
from zoo.models.plan import described
from zoo.models.route import FLOAT
from zoo.registry import parse_card
from zoo.specs import ModelCard


@dataclass(frozen=True)
class Check:
    """One thing that was checked: `status` is ``ok``, ``changed``, ``differs`` or ``not checked``."""

    name: str
    status: str
    detail: str = ""


@dataclass(frozen=True)
class Verdict:
    """What came of it all."""

    receipt: Path
    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """0 where all is well, 1 where a byte has changed, 4 where a model differs from its original."""
        found = {check.status for check in self.checks}
        return FAILED if "changed" in found else PARITY if "differs" in found else DONE


def verify(path: Path) -> Verdict:
    """Check the output at `path`, or of the receipt at `path`.

    Raises `UsageError` when it has no receipt, `InputError` when that is damaged.
    """
    receipt = receipts.find(path)
    document = receipts.read(receipt)
    checks = [_seal(document), *_outputs(document, receipt.parent)]
    if source := document.get("source"):
        checks.extend(_source(source, receipt.parent))
    if document.get("task") == "convert model" and all(check.status != "changed" for check in checks):
        checks.extend(_replay(document, receipt))
    return Verdict(receipt, tuple(checks))


def _seal(document: Mapping[str, Any]) -> Check:
    if "seal" not in document:
        return Check("receipt", "not checked", "it was written before receipts had a seal")
    intact = document["seal"] == receipts.seal(document)
    return Check("receipt", "ok" if intact else "changed", "" if intact else "its own text is not what was written")


def _outputs(document: Mapping[str, Any], folder: Path) -> Iterator[Check]:
    for recorded in document["outputs"]:
        name = str(recorded.get("file") or recorded.get("folder"))
        yield _same(name, recorded, folder / name, folder)


def _source(source: Mapping[str, Any] | str, folder: Path) -> Iterator[Check]:
    """The files that an output was made from, where they still lie."""
    if isinstance(source, str) or "files" not in source:
        return
    place = _find(Path(source["path"]), folder)
    for recorded in source["files"]:
        name = str(recorded.get("file") or recorded.get("folder"))
        if place is None:
            yield Check(f"source {name}", "not checked", f"{source['path']} is not at hand")
        else:
            yield _same(f"source {name}", recorded, place.parent / name, place.parent)


def _find(path: Path, folder: Path) -> Path | None:
    """A path that was recorded as it was typed: from here, or from where the receipt lies."""
    places = (path, folder / path, folder / path.name)
    return next((place for place in places if place.exists() or any(place.parent.glob(place.name + ".*"))), None)


def _same(name: str, recorded: Mapping[str, Any], path: Path, folder: Path) -> Check:
    if not path.exists():
        return Check(name, "changed", "it is not there any more")
    found = receipts.describe(path, folder)
    if found.get("sha256") == recorded.get("sha256"):
        limits = recorded.get("sha256_of", "")
        return Check(name, "ok", f"compared by {limits}" if limits else "")
    return Check(name, "changed", "its content is not what was written")


def _replay(document: Mapping[str, Any], receipt: Path) -> Iterator[Check]:
    """Measure the model against its original again, as it was measured when it was made."""
    source, output = document["source"], document["outputs"][0]
    place = _find(Path(source["path"]), receipt.parent)
    if place is None:
        yield Check("parity", "not checked", f"the original {source['path']} is not at hand")
        return
    try:
        said = PortOptions(card=document["options"]["card"], config=document["options"]["config"])
        original = identify(place, source["format"], said.card, described(said))
        card = parse_card(json.dumps(document["card"]), receipt.name)
        product = Artifact(receipt.parent / str(output.get("file") or output.get("folder")), document["format"], card)
        yield from _measure(document, original, product)
    except (RuntimeMissingError, UsageError) as error:
        yield Check("parity", "not checked", str(error))
    except ZooError as error:
        yield Check("parity", "differs", str(error))


def _measure(document: Mapping[str, Any], original: Artifact, product: Artifact) -> Iterator[Check]:
    options, size = document["options"], (int(document["size"][0]), int(document["size"][1]))
    one, other = parity.open_artifact(original), parity.open_artifact(product)
    cards: tuple[ModelCard, ModelCard] = (original.card, product.card)
    limits = _limits(document)
    found = parity.between(one, other, cards, size, options["samples"], limits.raw)
    worst = found.worst
    detail = f"largest difference {worst.absolute:.2e} in {worst.output}" if worst else ""
    accepted = bool(document["drift"])
    yield Check("parity", "ok" if found.holds or accepted else "differs", detail + (", accepted" if accepted else ""))
    for recorded in document["parity"]["photos"]:
        try:
            name, photo = photograph(recorded["photo"] if recorded["photo"].startswith("sample:") else options["photo"])
        except (WeightsError, ZooError) as error:
            yield Check(recorded["photo"], "not checked", str(error))
            continue
        faces = decoded.compare(original, product, photo, name, limits)
        yield Check(name, "ok" if faces.holds or accepted else "differs", faces.said)


def _limits(document: Mapping[str, Any]) -> Limits:
    """Those that the model was measured with; receipts say them since there are precisions."""
    if "limits" in document:
        return Limits.from_dict(document["limits"])
    return replace(LIMITS[FLOAT], raw=document["options"]["tolerance"])
