"""A data set as a dataset of torch, for training. The one module of the data sets that imports torch."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from zoo.datasets.sample import PARTS, Broken, Sample
from zoo.datasets.sharing import ALL, Place, mixed, rank_length, share, shuffled_units, unit_size
from zoo.errors import InputError

if TYPE_CHECKING:
    from zoo.datasets.dataset import Dataset

BUFFER = 512
"""Samples, still encoded, among which each worker picks at random when samples are shuffled."""


class TorchDataset(IterableDataset[Any]):
    """The samples of a `Dataset` as dictionaries of tensors, shared out among ranks and workers.

    What a sample has none of is left out. ``key`` str; ``image`` uint8 (3, H, W) red, green, blue, turned as its EXIF
    orientation says (the encoded bytes when `decode` is off); ``size`` (width, height) where the annotation states it;
    ``boxes`` (N, 4), ``keypoints`` (N, 5, 2), ``flags`` (N, 5), ``landmarks`` (N, K, 2) and ``scores`` (N,) float32,
    ``ignored`` (N,) bool, in pixels of the decoded image; the attributes by name, int64 (N,); ``identity`` int, a
    name's place among the names of the set (``dataset.about.classes``) where it lists them; ``pair`` and ``same``.
    `transform` is given such a dictionary, and what it returns is what comes out.

    With a `shuffle_seed` the stretches of the set are taken in a random order, and the samples of each worker out of
    a buffer of `BUFFER`; `set_epoch` gives the next epoch another order, with persistent workers too. All ranks must
    use the same set, options and seed; each gets ``len(this)`` samples (the last one's are filled up from the
    beginning), unless the format does not know its count or broken ones are skipped.
    """

    def __init__(
        self,
        dataset: Dataset,
        transform: Callable[[dict[str, Any]], Any] | None = None,
        decode: bool = True,
        shuffle_seed: int | None = None,
    ) -> None:
        super().__init__()
        self.dataset, self.transform, self.decode, self.shuffle_seed = dataset, transform, decode, shuffle_seed
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._numbers = {name: number for number, name in enumerate(dataset.about.classes)}
        self._rank = ALL

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch begins, so that it has an order of its own."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return rank_length(len(self.dataset), self._ranks().count)

    def __getstate__(self) -> dict[str, Any]:
        """With the rank: a worker process that is spawned is no member of the process group."""
        return {**vars(self), "_rank": self._ranks()}

    def __iter__(self) -> Iterator[Any]:
        for sample in self._samples():
            try:
                item = self._item(sample)
            except InputError as error:
                if self.dataset.on_error == "raise":
                    raise
                self.dataset.note(Broken(sample.key, str(error)))
            else:
                yield self.transform(item) if self.transform else item
        self._warn()

    def _samples(self) -> Iterator[Sample]:
        info = get_worker_info()
        worker = Place(info.id, info.num_workers) if info else ALL
        rank, epoch = self._ranks(), int(self._epoch)
        samples = self._share(rank, worker, epoch)
        if self.shuffle_seed is None:
            return samples
        return mixed(samples, BUFFER, f"{self.shuffle_seed} {epoch} {rank.index} {worker.index}")

    def _share(self, rank: Place, worker: Place, epoch: int) -> Iterator[Sample]:
        dataset = self.dataset
        units = dataset.units(unit_size(dataset.about.count, rank.count))
        ordered = units if self.shuffle_seed is None else shuffled_units(units, self.shuffle_seed, epoch)
        pieces = share(ordered, rank, worker)
        return dataset.good(chain.from_iterable(piece.cut(dataset.reader.read(piece.unit)) for piece in pieces))

    def _item(self, sample: Sample) -> dict[str, Any]:
        item = {name: getattr(sample, name) for name in ("key", "size", "pair", "same")}
        who = sample.identity
        item["identity"] = self._numbers.get(who, who) if isinstance(who, str) else who
        if sample.image is not None:
            item["image"] = self._image(sample) if self.decode else bytes(sample.image.data)
        if sample.faces is not None:
            item |= {name: _tensor(getattr(sample.faces, name)) for name in PARTS}
            item |= {name: _tensor(values) for name, values in (sample.faces.attributes or {}).items()}
        return {name: value for name, value in item.items() if value is not None}

    def _image(self, sample: Sample) -> torch.Tensor:
        assert sample.image is not None
        pixels = sample.image.decode(f"{self.dataset.path}: the image of {sample.key}")
        return torch.from_numpy(np.ascontiguousarray(pixels[:, :, ::-1].transpose(2, 0, 1)))

    def _ranks(self) -> Place:
        """Which of how many ranks this is: as torch.distributed says where it runs, else as torchrun has set."""
        from torch import distributed

        if distributed.is_available() and distributed.is_initialized():
            return Place(distributed.get_rank(), distributed.get_world_size())
        return self._rank if self._rank != ALL else _of_torchrun(os.environ)

    def _warn(self) -> None:
        if self.dataset.skipped:
            first = self.dataset.broken[0].sentence
            warnings.warn(f"{self.dataset.path}: {self.dataset.skipped} samples left out; {first}", stacklevel=2)


def _of_torchrun(environment: Mapping[str, str]) -> Place:
    try:
        place = Place(int(environment["RANK"]), int(environment["WORLD_SIZE"]))
    except (KeyError, ValueError):
        return ALL
    return place if 0 <= place.index < place.count else ALL


def _tensor(array: Any) -> torch.Tensor | None:
    return None if array is None else torch.from_numpy(np.ascontiguousarray(array))
