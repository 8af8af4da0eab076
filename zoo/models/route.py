"""The way from one model format to another, and from one precision to another, over the edges that are installed."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from zoo.errors import RuntimeMissingError, UsageError
from zoo.plugins import catalogue
from zoo.runtimes import importable
from zoo.specs import ConverterSpec

FLOAT = "float32"
"""The precision of what is trained; asked for, it leaves a model as it is."""


@dataclass(frozen=True)
class Route:
    """Edges in order, each beginning in the format in which the one before ends."""

    edges: tuple[ConverterSpec, ...]

    @property
    def cost(self) -> float:
        """The sum of the edges' costs."""
        return sum(edge.cost for edge in self.edges)

    @property
    def lost(self) -> tuple[str, ...]:
        """What the edges cannot carry over."""
        return tuple(edge.loss for edge in self.edges if edge.loss)

    @property
    def missing(self) -> tuple[tuple[str, str], ...]:
        """The Python modules that are not installed, and for each the line that installs it."""
        needs = {name: edge.install for edge in self.edges for name in edge.needs if not importable(name)}
        return tuple(needs.items())

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats on the way, both ends included."""
        return (self.edges[0].src, *(edge.dst for edge in self.edges)) if self.edges else ()

    def require_installed(self) -> None:
        """Raise `RuntimeMissingError` that says what to install where something is missing."""
        if self.missing:
            names = ", ".join(name for name, _ in self.missing)
            lines = " and ".join(dict.fromkeys(line for _, line in self.missing if line)) or "pip"
            raise RuntimeMissingError(
                f"The way {' -> '.join(self.formats)} needs {names}, which is not installed; install it with {lines}."
            )


@dataclass(frozen=True)
class Place:
    """Where a model is on its way: its format, its precision, and how many of the stops have been passed."""

    format: str
    precision: str = FLOAT
    passed: int = 0


@dataclass(frozen=True)
class _Way:
    """What is asked: through `stops` in order, the last of which is the target's format, to `precision`; `float32` is
    whatever the model comes in."""

    stops: tuple[str, ...]
    precision: str

    def at(self, format: str, precision: str, passed: int = 0) -> Place:
        """The place that is reached with `passed` stops behind and a file of `format`, which may be the next stop; to
        name an end of the way as a stop of it changes nothing."""
        while passed < len(self.stops) and self.stops[passed] == format:
            passed += 1
        return Place(format, precision, passed)

    def over(self, edge: ConverterSpec, place: Place) -> Place | None:
        """Where `edge` leads from `place`, None where it cannot be gone. One that changes nothing but the precision is
        gone only to the precision that is asked."""
        if edge.src != place.format or place.precision not in edge.carries:
            return None
        if edge.src == edge.dst and edge.precision != self.precision:
            return None
        return self.at(edge.dst, edge.precision or place.precision, place.passed)

    def ends(self, place: Place) -> bool:
        """Whether nothing is left to go. All stops may have been passed, and the last of them left again."""
        there = place.passed == len(self.stops) and place.format == self.stops[-1]
        return there and self.precision in (FLOAT, place.precision)


def find(
    source: str, target: str, method: str, via: Sequence[str] = (), precision: str = FLOAT, holds: str = FLOAT
) -> Route:
    """The best way from the format `source`, of a model in the precision `holds`, to `target` in `precision` (`FLOAT`
    leaves it as it is) for models of `method`, through each of `via` in order.

    What loses nothing goes before what does, what leaves the precision unless another is asked before what does not,
    what is installed before what is not, then the lowest cost counts. Raises `UsageError` when there is no way.
    """
    way = _Way((*via, target), precision)
    start = way.at(source, holds)
    path = _shortest(start, way, method)
    if path is None:
        raise UsageError(_refusal(source, start, way, method))
    return Route(tuple(path))


def _refusal(source: str, start: Place, way: _Way, method: str) -> str:
    """Between which two stops there is no way, or that there is none in the precision that is asked."""
    kind = "" if start.precision == FLOAT else f" in {start.precision}"
    furthest = max(_reached(start, way, method), key=lambda place: place.passed)
    if furthest.passed == len(way.stops):
        able = {place.format for place in _all(start, method, way.precision) if place.precision == way.precision}
        return (
            f"There is no way from {source}{kind} to {way.stops[-1]} in {way.precision} for models of {method};"
            f" in {way.precision} there can be: {', '.join(sorted(able)) or 'nothing'}."
        )
    stops = (source, *way.stops)
    begin, end = stops[furthest.passed], stops[furthest.passed + 1]
    known = ", ".join(reachable(begin, method, start.precision)) or "nothing"
    return f"There is no way from {begin}{kind} to {end} for models of {method}; {begin} can become: {known}."


def reachable(source: str, method: str, holds: str = FLOAT) -> list[str]:
    """The formats that there is a way to for a model in the precision `holds`."""
    return sorted({place.format for place in _all(Place(source, holds), method, FLOAT)} - {source})


def _all(start: Place, method: str, precision: str) -> set[Place]:
    """The places that can be come to when `precision` is asked, and no stop."""
    return _reached(Place(start.format, start.precision), _Way((), precision), method)


def _reached(start: Place, way: _Way, method: str) -> set[Place]:
    found, new = {start}, [start]
    while new:
        place = new.pop()
        for edge in _edges(method):
            after = way.over(edge, place)
            if after is not None and after not in found:
                found.add(after)
                new.append(after)
    return found


def _edges(method: str) -> Iterable[ConverterSpec]:
    return [edge for edge in catalogue().converters.values() if not edge.methods or method in edge.methods]


_Weight: TypeAlias = "tuple[int, int, int, float]"
_Entry: TypeAlias = "tuple[_Weight, int, Place, list[ConverterSpec]]"


def _shortest(start: Place, way: _Way, method: str) -> list[ConverterSpec] | None:
    """Dijkstra's algorithm; the weight is (losses, precisions that were not asked, missing modules, cost), compared in
    this order."""
    edges, counter = _edges(method), itertools.count()
    queue: list[_Entry] = [((0, 0, 0, 0.0), next(counter), start, [])]
    done = set()
    while queue:
        weight, _, place, path = heapq.heappop(queue)
        if way.ends(place):
            return path
        if place in done:
            continue
        done.add(place)
        for edge in edges:
            after = way.over(edge, place)
            if after is not None and after not in done:
                heapq.heappush(queue, (_added(weight, edge, way.precision), next(counter), after, [*path, edge]))
    return None


def _added(weight: _Weight, edge: ConverterSpec, asked: str) -> _Weight:
    losses, changes, missing, cost = weight
    absent = sum(not importable(name) for name in edge.needs)
    unasked = edge.precision not in ("", asked)
    return losses + bool(edge.loss), changes + unasked, missing + absent, cost + edge.cost
