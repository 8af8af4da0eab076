"""What a conversion would do: the formats, what would be lost, and why it is not possible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo.conversion.options import ConvertOptions
from zoo.datasets.formats import ANNOTATIONS, FOLDER, OTHER, About, Reader
from zoo.datasets.recognise import recognise
from zoo.errors import UsageError, suggestion
from zoo.options import describe, make
from zoo.plugins import catalogue, resolve
from zoo.specs import FormatSpec


@dataclass(frozen=True)
class Plan:
    """A conversion: from where to where, with which options, what gets `lost` on the way, and the `obstacle`, a
    sentence, where it cannot be run as it stands."""

    source: Path
    target: Path
    reads: FormatSpec
    writes: FormatSpec
    about: About
    options: ConvertOptions
    read_options: Any
    write_options: Any
    lost: tuple[str, ...]
    obstacle: str = ""

    def describe(self) -> dict[str, Any]:
        """The plan as plain data."""
        return {
            "source": str(self.source),
            "from": self.reads.name,
            "to": self.writes.name,
            "target": str(self.target),
            "kind": self.about.kind,
            "samples": self.about.count,
            "holds": sorted(self.about.holds),
            "lost": list(self.lost),
            "obstacle": self.obstacle,
            "facts": dict(self.about.facts),
        }


def make_plan(
    source: Path, target: Path, values: Mapping[str, Any], source_format: str = "", target_format: str = ""
) -> Plan:
    """Look at the source and the target's name and say what would be done. What the target needs and the source lacks
    is the plan's obstacle, so that the rest of the plan is known all the same.

    Raises `UsageError` for a format that cannot be told or does not exist, a kind that the target cannot hold, options
    that nobody knows; `InputError` for a source that cannot be read.
    """
    reads = recognise(source, source_format)[0]
    writes = _target_format(target, target_format)
    if not reads.reader:
        raise UsageError(f"The zoo cannot read data sets in the format {reads.name}.")
    own, read_values, write_values = _divide(values, reads, writes)
    if target.suffix in writes.suffixes and "shard" in _names(writes.write_options):
        write_values.setdefault("shard", 0)  # a target with the suffix of a file is one file
    options = make(ConvertOptions, own)
    read_options = make(resolve(reads.read_options), read_values) if reads.read_options else None  # type: ignore[arg-type]
    write_options = make(resolve(writes.write_options), write_values) if writes.write_options else None  # type: ignore[arg-type]
    reader: Reader = resolve(reads.reader)(source, read_options)
    about = reader.about()
    _require_kind(about, reads, writes)
    plan = Plan(source, target, reads, writes, about, options, read_options, write_options, _lost(about, reads, writes))
    return replace(plan, obstacle=_obstacle(plan))


def _lost(about: About, reads: FormatSpec, writes: FormatSpec) -> tuple[str, ...]:
    """What of the source the target cannot hold. What only one format understands is lost in every other; images that
    lie in a folder of their own stay there."""
    held = set(writes.holds) - ({OTHER} if reads.name != writes.name else set())
    held |= {"images"} if FOLDER in about.facts else set()
    return tuple(name for name in ANNOTATIONS if name in about.holds and name not in held)


def _obstacle(plan: Plan) -> str:
    """Why the target cannot be written from such a source with these options; empty when it can."""
    writer: Any = resolve(plan.writes.writer)
    missing = [ANNOTATIONS[name] for name in ANNOTATIONS if name in writer.needs - plan.about.holds]
    if missing and plan.about.count != 0:
        images = "images" in writer.needs - plan.about.holds and "images" in _names(plan.reads.read_options)
        hint = " images=FOLDER says where they are." if images else ""
        return f"{plan.writes.name} cannot be written without {_listed(missing)}, and {plan.source} has none.{hint}"
    try:
        writer(plan.target, plan.write_options, plan.about)  # which creates no file
    except UsageError as error:
        return str(error)
    return ""


def require_possible(plan: Plan) -> None:
    """Raise `UsageError` with the plan's obstacle, or else one that names what the target cannot hold, unless the
    options allow the loss."""
    if plan.obstacle:
        raise UsageError(plan.obstacle)
    lost = [ANNOTATIONS[name] for name in plan.lost]
    if lost and not plan.options.allow_loss:
        raise UsageError(
            f"{plan.writes.name} cannot hold {_listed(lost)} of {plan.source}; --allow-loss converts without."
        )


def _target_format(target: Path, name: str) -> FormatSpec:
    formats = catalogue().formats
    if name:
        spec = formats[name]
        if not spec.writer:
            raise UsageError(f"The zoo does not write the format {name}; it writes {_listed(_writable())}.")
        return spec
    suffix = "".join(target.suffixes[-1:])
    fitting = [spec for spec in formats.values() if spec.writer and suffix and suffix in spec.suffixes]
    if len(fitting) == 1:
        return fitting[0]
    known = _listed([spec.name for spec in fitting] or _writable())
    raise UsageError(f"Say with --to in which format {target} is to be written: {known}.")


def _writable() -> list[str]:
    return [spec.name for spec in catalogue().formats.values() if spec.writer]


def _require_kind(about: About, reads: FormatSpec, writes: FormatSpec) -> None:
    """Raise `UsageError` for a target of another kind. Landmarks with boxes are faces that can be detected, too."""
    kinds = {about.kind}
    if about.kind == "landmarks" and "boxes" in about.holds:
        kinds.add("detection")
    if kinds.isdisjoint(writes.kinds):
        fitting = [spec.name for spec in catalogue().formats.values() if spec.writer and kinds & set(spec.kinds)]
        raise UsageError(
            f"A set of {about.kind} ({reads.name}) cannot become {writes.name}, which holds {_listed(writes.kinds)};"
            f" it can become {_listed(fitting)}.{_way(reads, kinds, writes)}"
        )


def _way(reads: FormatSpec, kinds: Set[str], writes: FormatSpec) -> str:
    """How a set of these `kinds` becomes one of the target's all the same, where a format makes such of it; or of
    another format that it can be converted to. Empty where there is no way."""
    formats = catalogue().formats
    makers = [
        (spec, *made) for spec in formats.values() for made in spec.makes.items() if {*spec.kinds} & {*writes.kinds}
    ]
    for maker, source, words in sorted(makers, key=lambda made: made[1] != reads.name):
        said = f"--from {maker.name} {words} makes such a set of it"
        if source == reads.name:
            return f" But {said}."
        if formats[source].writer and kinds & {*formats[source].kinds}:
            return f" But it can be converted to {source} first: {said}."
    return ""


def _divide(values: Mapping[str, Any], reads: FormatSpec, writes: FormatSpec) -> list[dict[str, Any]]:
    """The values of the conversion, of the reader and of the writer. An option that reader and writer both have is
    said as ``read.NAME`` or ``write.NAME``."""
    known = [set(describe(ConvertOptions)), _names(reads.read_options), _names(writes.write_options)]
    parts: list[dict[str, Any]] = [{}, {}, {}]
    for name, value in values.items():
        side, _, bare = name.rpartition(".")
        where = [i for i, names in enumerate(known) if bare in names and side in ("", ("", "read", "write")[i])]
        if len(where) > 1:
            raise UsageError(f"Both formats have the option {bare}: write read.{bare}= or write.{bare}=.")
        if not where:
            everything = sorted(set().union(*known))
            hint = suggestion(bare, everything)
            raise UsageError(
                f"There is no option {name!r} from {reads.name} to {writes.name}.{hint} Known: {_listed(everything)}."
            )
        parts[where[0]][bare] = value
    return parts


def _names(options: str) -> set[str]:
    return set(describe(resolve(options))) if options else set()  # type: ignore[arg-type]


def _listed(names: Iterable[str]) -> str:
    *first, last = [*names] or ["nothing"]
    return f"{', '.join(first)} and {last}" if first else last
