"""Writing pairs: only both images of a pair together."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from zoo.datasets.aligning import account
from zoo.datasets.formats import Part
from zoo.datasets.sample import Broken, Sample
from zoo.errors import InputError

T = TypeVar("T")


class PairPart(Part, Generic[T]):
    """A part that takes one image after the other and puts them in its file pair by pair."""

    def __init__(self) -> None:
        self._waiting: tuple[Sample, T] | None = None
        self._alone: list[Broken] = []
        self.account: Counter[str] = Counter()

    @abstractmethod
    def prepare(self, sample: Sample) -> T:
        """What of a sample is written. Raises `InputError` when it cannot be."""

    @abstractmethod
    def put(self, first: Sample, second: Sample, prepared: tuple[T, T]) -> None:
        """Write a pair. Raises `InputError` when it cannot be, having written nothing."""

    def write(self, sample: Sample) -> None:
        """Take one image of a pair; the second one writes both."""
        if sample.pair is None or sample.same is None:
            raise InputError(f"{sample.key} belongs to no pair.")
        prepared = self.prepare(sample)
        waiting = self._waiting
        if waiting is None or waiting[0].pair != sample.pair:
            self._leave_waiting()
            self._waiting = sample, prepared
            return
        self.put(waiting[0], sample, (waiting[1], prepared))
        self._waiting = None
        self.account.update((account(waiting[0]), account(sample)))

    def withdraw(self) -> list[Broken]:
        """Those whose other half did not come."""
        self._leave_waiting()
        return self._alone

    def _leave_waiting(self) -> None:
        if self._waiting is not None:
            sample = self._waiting[0]
            data = bytes(sample.image.data) if sample.image else b""
            why = "the other image of its pair is not there: left out, or not to be read or written."
            self._alone.append(Broken(sample.key, why, data=data))
            self._waiting = None


def add(account: Counter[str], facts: Mapping[str, Any]) -> None:
    """Add what a part says of its samples."""
    account.update(facts["account"])


def notes(account: Counter[str]) -> dict[str, Any]:
    """The account for people: whether faces were aligned, which evaluations take for granted."""
    aligned, others = account["aligned"], account["not aligned"]
    if not aligned + others:
        said = "none: the images are those of the source, and networks expect them aligned"
    elif others:
        said = f"{aligned} images aligned, {others} not for want of keypoints"
    else:
        said = f"all {aligned} images aligned"
    resized = {"resized": f"{account['resized']} images"} if account["resized"] else {}
    return {"alignment": said, **resized}
