"""What a conversion of a model would do: what the source is, and the way from its format to the target's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import ModelError, UsageError, suggestion
from zoo.inference.artifacts import Artifact, described_by, identify, model_formats
from zoo.inference.preprocess import parse_sizes
from zoo.models.options import PortOptions
from zoo.models.route import FLOAT, Route, find, reachable
from zoo.options import describe, make
from zoo.plugins import catalogue, resolve
from zoo.specs import ConverterSpec, FormatSpec, ModelCard

DEFAULT_SIZE = (320, 320)
"""Width and height in pixels at which a network that takes any size is traced, rounded to its multiple."""


@dataclass(frozen=True)
class PortPlan:
    """A conversion that can be run. `edge_options` are the options of each edge of the `route`, None for one that has
    none; `size` is (width, height) in pixels; `dynamic` are the dimensions that stay open; `unable` says why the source
    cannot go this way, where that can be told beforehand."""

    source: Artifact
    target: Path
    writes: FormatSpec
    route: Route
    options: PortOptions
    edge_options: tuple[Any, ...]
    size: tuple[int, int]
    dynamic: frozenset[str]
    unable: str = ""

    @property
    def precision(self) -> str:
        """What the target's numbers will be kept in."""
        made = [edge.precision for edge in self.route.edges if edge.precision]
        return made[-1] if made else self.source.card.precision

    @property
    def obstacle(self) -> str:
        """What is in the way: the source itself, or what stands where the target is to be and stays there, as a
        sentence; empty where nothing is."""
        target = self.target
        if any(_same(target, part) for part in (self.source.path, *self.source.files)):
            return f"{target} is the source itself, which is never overwritten; choose another name."
        if self.unable or not target.exists():
            return self.unable
        if target.is_dir() and not self._replaceable():
            return f"{target} is a folder, which a conversion does not replace; choose another name."
        kept = f"{target} exists; choose another name, or replace it with --overwrite."
        return "" if self.options.overwrite else kept

    def _replaceable(self) -> bool:
        """Whether the folder that is there is a model of the format that is written, and no model of the user's own."""
        return bool(resolve(self.writes.sniff)(self.target)[0]) if self.writes.sniff else False

    def describe(self) -> dict[str, Any]:
        """The plan as plain data."""
        return {
            "source": str(self.source.path),
            "from": self.source.format,
            "target": str(self.target),
            "to": self.writes.name,
            "model": self.source.card.id,
            "known": self.source.how,
            "doubt": self.source.doubt,
            "hops": [
                {
                    "from": edge.src,
                    "to": edge.dst,
                    "precision": edge.precision,
                    "cost": edge.cost,
                    "loses": edge.loss,
                    "needs": list(edge.needs),
                }
                for edge in self.route.edges
            ],
            "precision": self.precision,
            "cost": self.route.cost,
            "lost": list(self.route.lost),
            "missing": [{"module": name, "install": line} for name, line in self.route.missing],
            "size": f"{self.size[0]}x{self.size[1]}",
            "dynamic": sorted(self.dynamic),
            "obstacle": self.obstacle,
        }


def make_plan(
    source: Path,
    target: Path,
    values: Mapping[str, Any],
    source_format: str = "",
    target_format: str = "",
    via: Sequence[str] = (),
) -> PortPlan:
    """Look at the source and the target's name and say what would be done. `values` are options by name: those of
    `PortOptions` and those of the edges on the way.

    Raises `UsageError` for what cannot be told, what there is no way to, and options that nobody knows; `ModelError`
    for a source that cannot be read.
    """
    port = describe(PortOptions)
    own = {name: value for name, value in values.items() if name in port}
    options = make(PortOptions, own)
    found = identify(source, source_format, options.card, described(options))
    return plan_for(found, target, {k: v for k, v in values.items() if k not in port}, options, target_format, via)


def plan_for(
    source: Artifact,
    target: Path,
    values: Mapping[str, Any],
    options: PortOptions,
    target_format: str = "",
    via: Sequence[str] = (),
) -> PortPlan:
    """As `make_plan`, for a source that is known; `values` are the options of edges alone."""
    writes = target_spec(source, target, target_format)
    for name in via:
        catalogue().formats[name]  # raises for a name that does not exist
    holds = source.card.precision
    route = find(source.format, writes.name, source.card.method, via, options.precision, holds)
    if not route.edges and options.precision != FLOAT:
        raise UsageError(f"{source.path} is in {holds} already; make it from the original, which is in {FLOAT}.")
    return PortPlan(
        source,
        target,
        writes,
        route,
        options,
        _edge_options(route.edges, values),
        traced_size(source.card, options.size),
        _dynamic(source.card, options),
        _unable(source, route),
    )


def _unable(source: Artifact, route: Route) -> str:
    """Why the source cannot go its first edge, where that tells before anything is converted."""
    check = route.edges[0].check if route.edges else ""
    return str(resolve(check)(source.path)) if check and not route.missing else ""


def target_spec(source: Artifact, target: Path, name: str) -> FormatSpec:
    """The format that is meant by `name`, or else by the target's suffix. Raises `UsageError`."""
    if name:
        return require_model_format(name)
    fitting = [spec for spec in model_formats() if target.suffix and target.suffix in spec.suffixes]
    ways = {source.format, *reachable(source.format, source.card.method, source.card.precision)}
    sure = [spec for spec in fitting if spec.name in ways]
    if len(sure) == 1 or len(fitting) == 1:
        return (sure or fitting)[0]
    known = ", ".join(spec.name for spec in sure) or ", ".join(sorted(ways))
    raise UsageError(f"Say with --to in which format {target} is to be written: {known}.")


def require_model_format(name: str) -> FormatSpec:
    """The format of models called `name`. Raises `UsageError` where there is none."""
    spec = catalogue().formats[name]
    if "model" not in spec.kinds:
        raise UsageError(f"A model cannot be written as {name}: {name} is a format of data sets.")
    return spec


def require_possible(plan: PortPlan, allow_loss: bool) -> None:
    """Raise what is known to stop a conversion before it is begun: `UsageError` for loss that is not allowed and for a
    target that is there, `RuntimeMissingError` for what is not installed."""
    require_lossless(plan, allow_loss)
    plan.route.require_installed()
    if plan.obstacle:
        raise UsageError(plan.obstacle)


def require_lossless(plan: PortPlan, allow_loss: bool) -> None:
    """Raise `UsageError` that names what the way cannot carry over, unless that is allowed."""
    if plan.route.lost and not allow_loss:
        raise UsageError(
            f"The way {' -> '.join(plan.route.formats)} loses {' and '.join(plan.route.lost)}; --allow-loss converts"
            " all the same."
        )


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve() or (one.exists() and other.exists() and one.samefile(other))


def described(options: PortOptions) -> tuple[str, Mapping[str, Any]] | None:
    """The architecture that an upstream configuration file describes, by the method that knows it."""
    if not options.config:
        return None
    path = Path(options.config)
    if found := described_by(upstream_document(path)["model"], options.card):
        return found
    raise UsageError(f"{path} describes no network of an installed method.")


def upstream_document(path: Path) -> Mapping[str, Any]:
    """All that the upstream configuration file `path` assigns, by name; its ``model`` is a mapping.

    Raises `UsageError` where there is no such file or nothing that reads it; `ModelError` for one that cannot be read,
    or describes no model.
    """
    if not path.is_file():
        raise UsageError(f"There is no configuration file {path}.")
    reader = next((spec.config for spec in catalogue().formats.values() if spec.config), "")
    if not reader:
        raise UsageError(f"No installed plugin reads upstream configuration files such as {path}.")
    document: Mapping[str, Any] = resolve(reader)(path)
    if not isinstance(document.get("model"), Mapping):
        raise ModelError(f"{path} describes no model: it assigns no dictionary to `model`.")
    return document


def _edge_options(edges: Sequence[ConverterSpec], values: Mapping[str, Any]) -> tuple[Any, ...]:
    """The options of each edge; a value belongs to every edge that knows its name."""
    classes: list[Any] = [resolve(edge.options) if edge.options else None for edge in edges]
    known = set().union(*(describe(cls) for cls in classes if cls))
    for name in values:
        if name not in known:
            way = " -> ".join([edges[0].src, *(edge.dst for edge in edges)]) if edges else "a copy"
            near = suggestion(name, {*known, *describe(PortOptions)} - {name})
            raise UsageError(
                f"There is no option {name!r} for {way}.{near} It has {', '.join(sorted(known)) or 'none of its own'};"
                " those of every conversion are flags."
            )
    return tuple(
        make(cls, {name: value for name, value in values.items() if name in describe(cls)}) if cls else None
        for cls in classes
    )


def traced_size(card: ModelCard, asked: str = "") -> tuple[int, int]:
    """The (width, height) in pixels at which a model is traced: the one that is `asked` for, else the card's own, else
    `DEFAULT_SIZE`. Raises `UsageError` for a size that the model does not take."""
    found, *others = parse_sizes(asked or card.preprocess.size)
    multiple = card.preprocess.multiple
    if asked and (others or not found.letterbox):
        raise UsageError(f"A network is traced at one size, not at {asked!r}: write WIDTHxHEIGHT, such as 640x480.")
    if not found.letterbox:
        width, height = (-(-side // multiple) * multiple for side in DEFAULT_SIZE)
        return width, height
    if found.width % multiple or found.height % multiple:
        raise UsageError(f"{card.id} takes sizes in multiples of {multiple} pixels, not {asked}.")
    return found.width, found.height


def _dynamic(card: ModelCard, options: PortOptions) -> frozenset[str]:
    asked = set(options.dynamic)
    if asked == {"auto"}:
        return frozenset(("batch",) if card.preprocess.crop.kind else ("batch", "height", "width"))
    if asked & {"auto", "none"} and len(asked) > 1:
        raise UsageError("dynamic is auto, none, or some of batch, height and width.")
    return frozenset(asked - {"none"})
