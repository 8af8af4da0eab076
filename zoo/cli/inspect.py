"""``zoo inspect``: what a data set or a model is and what is in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from zoo.cli.flags import divide
from zoo.cli.output import Bar, installed, json_option, print_json
from zoo.errors import DONE, FAILED, SKIPPED, UsageError

Document = Mapping[str, Any]
_OTHERS = 3
"""Formats that are not taken but told with their reasons."""

_KEYS = 5
"""Samples that are named for each reason why such are broken."""


@click.command(epilog="Example:  zoo inspect faces_emore/ --verify --sheet sheet.jpg")
@click.argument("path")
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--from", "format", default="", metavar="FORMAT", help="The format, where it is not recognised.")
@click.option("--verify", is_flag=True, help="Walk every sample instead of the first ones.")
@click.option("--decode", is_flag=True, help="Decode the pixels too, to find damage inside them.")
@click.option("--samples", type=click.IntRange(1), metavar="N", help="Look at the first N samples. (default: 1000)")
@click.option("--count", is_flag=True, help="Count what a model file computes that holds its network, too.")
@click.option("--sheet", metavar="FILE", help="Write a contact sheet: images with their annotation drawn over them.")
@json_option
def inspect(path: str, words: tuple[str, ...], as_json: bool, sheet: str | None, **choices: Any) -> int:
    """Say what the data set or model PATH is and what is in it. Of a data set: format and why, kind, counts, sizes,
    identities, faces, missing keypoints, duplicates, broken samples; the first 1000 samples are looked at, and with
    --verify all; words like key=value are options of the format for reading: zoo info FORMAT. Of a model: what
    network it is and how that is known, inputs and outputs, what it can become, and of weights the parameters and what
    the network computes, which takes their framework, and of other files with --count; card=MODEL says what it is
    where nothing tells. Ends with 1 when the file cannot be used."""
    from zoo.inference.artifacts import is_a_model

    installed()
    if is_a_model(Path(path), choices["format"]):
        return _model(path, words, choices["format"], choices["count"], as_json)
    _require_image_name(sheet)
    dataset = _open(path, words, choices["format"])
    with contextlib.closing(Bar()) as bar:
        document = _document(dataset, choices["verify"], choices["decode"], choices["samples"], bar)
    if as_json:
        print_json(document | ({"sheet": _sheet(dataset, sheet)} if sheet else {}))
        return _exit_code(document)
    for line in _report(document):
        click.echo(line)
    if sheet:
        click.echo(f"wrote {sheet}: {_sheet(dataset, sheet)['images']} images")
    return _exit_code(document)


def _model(path: str, words: tuple[str, ...], format: str, count: bool, as_json: bool) -> int:
    from zoo.models.facts import facts, tell

    surplus, values = divide(words)
    odd = [*surplus, *(name for name in values if name != "card")]
    if odd:
        raise UsageError(f"Of a model only card=MODEL can be said, not {odd[0]!r}.")
    document = facts(Path(path), format, values.get("card", ""), count)
    if as_json:
        print_json(document)
    else:
        click.echo("\n".join(tell(document)))
    return FAILED if document.get("unusable") else DONE


def _open(path: str, words: tuple[str, ...], name: str) -> Any:
    from zoo.datasets.dataset import opened

    installed()
    surplus, values = divide(words)
    if surplus:
        raise UsageError(
            f"One data set is inspected at a time; {surplus[0]!r} is too much. Names with braces belong in quotes."
        )
    return opened(Path(path), name, values, "skip")


def _document(dataset: Any, verify: bool, decode: bool, samples: int | None, bar: Bar) -> dict[str, Any]:
    from zoo.datasets.recognise import to_documents
    from zoo.datasets.survey import QUICK, survey

    about = dataset.about
    found = survey(dataset, None if verify else samples or QUICK, decode, bar)
    count = found.samples if about.count is None and found.complete else about.count
    return {
        "path": str(dataset.path),
        "format": dataset.format.name,
        "summary": dataset.format.summary,
        "recognised": to_documents(dataset.recognised),
        "kind": about.kind,
        "samples": count,
        "holds": sorted(about.holds),
        "classes": len(about.classes) or None,
        "facts": {name: _plain(fact) for name, fact in about.facts.items()},
        **found.to_dict(),
    }


def _plain(fact: Any) -> Any:
    """A fact as JSON has it: readers may give tuples, sets or numbers of numpy."""
    import json

    return json.loads(json.dumps(fact, default=lambda odd: odd.item() if hasattr(odd, "item") else sorted(odd)))


def _require_image_name(sheet: str | None) -> None:
    if sheet:
        from zoo.datasets.sheet import require_image_name

        require_image_name(Path(sheet))


def _sheet(dataset: Any, file: str) -> dict[str, Any]:
    from zoo.datasets.sheet import write_sheet

    return {"file": file, "images": write_sheet(dataset, Path(file))}


def _exit_code(document: Document) -> int:
    broken, looked = document.get("broken", {}).get("count", 0), document["looked_at"]["samples"]
    if not broken:
        return DONE
    return FAILED if broken == looked else SKIPPED


def _report(document: Document) -> Iterator[str]:
    """The findings in lines for people."""
    best, *others = document["recognised"]
    yield f"{document['path']}: {document['format']}, a data set of {document['kind']}"
    yield f"format: {best['reason']} ({best['confidence']:.2f})"
    for other in [other for other in others if other["confidence"] > 0][:_OTHERS]:
        yield f"  not {other['format']}: {other['reason']} ({other['confidence']:.2f})"
    yield f"samples: {_samples(document)}"
    yield f"holds: {held(document['holds'])}"
    if document["facts"]:
        yield "from its files:"
    for name, fact in document["facts"].items():
        yield f"  {name.replace('_', ' ')}: {said(fact)}"
    for name, tell in (("identities", _identities), ("pairs", _pairs), ("faces", _faces), ("images", _images)):
        if name in document:
            yield from tell(document[name])
    if "broken" in document:
        yield from _broken(document["broken"])


def _samples(document: Document) -> str:
    looked, count = document["looked_at"], document["samples"]
    pixels = ", pixels decoded" if looked["pixels"] else ""
    if looked["everything"]:
        return f"{looked['samples']:,}, all looked at{pixels}"
    total = "an unknown number" if count is None else f"{count:,}"
    return f"{total}; the first {looked['samples']:,} looked at{pixels} (--verify looks at all)"


def held(names: list[str]) -> str:
    """What of `zoo.datasets.formats.ANNOTATIONS` a set has, for people."""
    from zoo.datasets.formats import ANNOTATIONS

    return ", ".join(ANNOTATIONS.get(name, name) for name in names) or "nothing"


def said(fact: Any) -> str:
    """A fact about a set, for people."""
    if isinstance(fact, Mapping):
        return ", ".join(f"{name} {said(value)}" for name, value in fact.items())
    if isinstance(fact, list):
        return ", ".join(map(said, fact))
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    return f"{fact:,}" if isinstance(fact, int) else str(fact)


def _span(each: Document, digits: str = "g") -> str:
    """``1 to 5``, or ``5`` where the least is the most."""
    least, most = format(each["min"], digits), format(each["max"], digits)
    return least if least == most else f"{least} to {most}"


def _counts(counts: Document) -> str:
    """Counts by name; those of numbers in the order of the numbers."""
    numbers = all(name.lstrip("-").isdigit() for name in counts)
    names = sorted(counts, key=int) if numbers else counts
    return ", ".join(f"{name}: {counts[name]:,}" for name in names)


def _identities(found: Document) -> Iterator[str]:
    each = found["images"]
    yield f"identities: {found['count']:,} with {_span(each, ',')} images each, median {each['median']:g}"
    if each["min"] == each["max"]:
        return
    yield f"  images each: {_counts(found['images_histogram'])}"
    yield f"  most images: {', '.join(f'{who}: {count:,}' for who, count in found['most'].items())}"


def _pairs(found: Document) -> Iterator[str]:
    yield f"pairs: {sum(found.values()):,} ({said(found)})"


def _faces(found: Document) -> Iterator[str]:
    each = found["an_image"]
    yield f"faces: {found['count']:,}, {_span(each, ',g')} an image, mean {each['mean']:g}"
    if each["min"] != each["max"]:
        yield f"  an image: {_counts(each['histogram'])}"
    if "box_side" in found:
        yield f"  sides of boxes: {_span(found['box_side'])} pixels ({_counts(found['box_side']['histogram'])})"
    for name, what in (("degenerate", "without width or height"), ("ignored", "to be ignored")):
        if name in found:
            yield f"  {what}: {found[name]:,}"
    for name in ("faces_with_keypoints", "keypoint_flags", "landmarks_a_face"):
        if name in found:
            yield f"  {name.replace('_', ' ')}: {_counts(found[name])}"
    for name, counts in found.get("attributes", {}).items():
        yield f"  {name}: {_counts(counts)}"


def _images(found: Document) -> Iterator[str]:
    if "count" in found:
        each, sides = found["bytes"], found["longer_side"]
        yield f"images: {found['count']:,} ({said(found['formats'])})"
        yield f"  bytes: {_span(each, ',.0f')}, mean {each['mean']:,.0f}"
        different = f"{found['sizes']:,} different, commonest " if found["sizes"] > 1 else ""
        yield f"  sizes: {different}{_counts(found['commonest'])}"
        if sides["min"] != sides["max"]:
            yield f"  longer side: {_span(sides)} pixels ({_counts(sides['histogram'])})"
        yield from _duplicates(found["duplicates"])
    if "without_image" in found:
        yield f"samples without an image: {found['without_image']:,}"


def _duplicates(found: Document) -> Iterator[str]:
    among = f" (looked for among the first {found['looked_for_among']:,})" if "looked_for_among" in found else ""
    yield f"  duplicates: {found['count']:,} equal to an earlier image byte for byte{among}"
    groups = found.get("samples", [])
    if groups:
        shown = "; ".join(" = ".join(map(str, group[:6])) + (" ..." if len(group) > 6 else "") for group in groups[:5])
        yield f"    samples number {shown}{'; ...' if len(groups) > 5 else ''}"


def _broken(found: Document) -> Iterator[str]:
    yield f"broken: {found['count']:,}"
    by_reason: dict[str, list[str]] = {}
    for broken in found["first"]:
        place = f" at byte {broken['offset']:,}" if "offset" in broken else ""
        by_reason.setdefault(broken["why"], []).append(f"{broken['key']}{place}")
    for why, keys in by_reason.items():
        yield f"  {', '.join(keys[:_KEYS])}{f' and {len(keys) - _KEYS} more' if len(keys) > _KEYS else ''}: {why}"
    if found["count"] > len(found["first"]):
        yield f"  ... and {found['count'] - len(found['first']):,} more"
