"""A data set in Python: ``zoo.open_dataset(path)``, whatever its format."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex

from zoo.datasets.formats import UNIT, About, Reader, Unit
from zoo.datasets.recognise import Sniffed, open_reader, read_options, recognise
from zoo.datasets.sample import Broken, Sample
from zoo.errors import InputError, UsageError
from zoo.specs import FormatSpec

if TYPE_CHECKING:
    from zoo.datasets.torch import TorchDataset

OnError = Literal["raise", "skip"]
KEPT = 1000
"""At most so many broken samples of one walk are kept in `Dataset.broken`, without their bytes."""


class Dataset:
    """A data set that can be walked again and again, and be sent to other processes.

    `format` is the format's spec, `recognised` what every format says of the path. Iteration yields
    `zoo.datasets.sample.Sample` in the set's order; ``len(dataset)`` works where the format knows it, ``dataset[i]``
    where it allows random access. With `on_error` ``skip``, samples that cannot be read are left out: `skipped` counts
    those of the latest walk, `broken` has the first of them.
    """

    def __init__(
        self,
        path: Path,
        format: FormatSpec,
        options: Any = None,
        on_error: OnError = "raise",
        recognised: tuple[Sniffed, ...] = (),
    ) -> None:
        self.path, self.format, self.options = path, format, options
        self.on_error, self.recognised = on_error, recognised
        self.broken: list[Broken] = []
        self.skipped = 0

    @cached_property
    def reader(self) -> Reader:
        """The format's reader of this set, made once a process."""
        return open_reader(self.format, self.path, self.options)

    @cached_property
    def about(self) -> About:
        """What is known without reading all: kind, count, what is annotated, names of the identities."""
        return self.reader.about()

    def __getstate__(self) -> dict[str, Any]:
        """Without the reader, which is made anew where this arrives: it may hold open files."""
        return {name: value for name, value in vars(self).items() if name != "reader"}

    def __repr__(self) -> str:
        count = "?" if self.about.count is None else f"{self.about.count:,}"
        return f"<Dataset {self.path} ({self.format.name}, {self.about.kind}, {count} samples)>"

    def __iter__(self) -> Iterator[Sample]:
        return self.good(self.reader)

    def good(self, found: Iterator[Sample | Broken] | Reader) -> Iterator[Sample]:
        """The samples among `found`. A broken one raises `InputError`, or is noted and left out, as `on_error` says."""
        self.broken, self.skipped = [], 0
        for sample in found:
            if isinstance(sample, Sample):
                yield sample
            else:
                self.note(sample)

    def note(self, broken: Broken) -> None:
        """Take note of a sample that cannot be used. Raises `InputError` unless such are to be left out."""
        if self.on_error == "raise":
            raise InputError(f'{self.path}: {broken.sentence} open_dataset(..., on_error="skip") leaves such out.')
        self.skipped += 1
        if len(self.broken) < KEPT:
            broken.data = b""
            self.broken.append(broken)

    def __len__(self) -> int:
        if self.about.count is None:
            raise TypeError(
                f"How many samples {self.path} has only reading it tells: {self.format.name} keeps no count."
            )
        return self.about.count

    def __getitem__(self, index: SupportsIndex) -> Sample:
        number, count = operator.index(index), self.about.count
        if number < 0 and count is not None:
            number += count
        if number < 0 or (count is not None and number >= count):
            raise IndexError(f"{self.path} has no sample number {operator.index(index)}; it has {count}.")
        return self.reader.sample(number)

    def units(self, size: int = UNIT) -> Iterator[Unit]:
        """The set cut into stretches of `size` samples, in order; `read` reads one."""
        return self.reader.units(size)

    def read(self, unit: Unit) -> Iterator[Sample]:
        """The samples of a stretch, in order."""
        return self.good(self.reader.read(unit))

    def to_torch(
        self,
        transform: Callable[[dict[str, Any]], Any] | None = None,
        decode: bool = True,
        shuffle_seed: int | None = None,
    ) -> TorchDataset:
        """A `torch.utils.data.IterableDataset` of this set, which shares the samples out among the workers of a
        DataLoader and the ranks of torch.distributed: see `zoo.datasets.torch.TorchDataset`.

        Raises `RuntimeMissingError` when torch is not installed.
        """
        try:
            from zoo.datasets.torch import TorchDataset
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            from zoo.errors import RuntimeMissingError

            raise RuntimeMissingError("to_torch needs PyTorch, which is not installed: pip install torch.") from None
        return TorchDataset(self, transform, decode, shuffle_seed)


def open_dataset(path: str | Path, format: str = "", *, on_error: OnError = "raise", **options: Any) -> Dataset:
    """Open the data set at `path` in a format that is recognised, or named by `format`; `options` are the format's own
    for reading. A broken sample raises `InputError` when it is come to, or is left out when `on_error` is ``skip``.

    Raises `UsageError` for a path that is not there, a format that cannot be told or does not exist, a wrong option;
    `InputError` for a set that cannot be read at all.
    """
    if on_error not in ("raise", "skip"):
        raise UsageError(f'on_error is "raise" or "skip", not {on_error!r}.')
    return opened(Path(path), format, options, on_error)


def opened(path: Path, format: str, options: Mapping[str, Any], on_error: OnError) -> Dataset:
    """`open_dataset` with the format's options as texts or values by name."""
    spec, recognised = recognise(path, format)
    dataset = Dataset(path, spec, read_options(spec, options), on_error, recognised)
    _ = dataset.about  # what cannot be read at all is said now, and not when the first sample is wanted
    return dataset
