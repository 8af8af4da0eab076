"""Data sets in Python: iteration, length, random access, broken samples, other processes."""

from __future__ import annotations

import operator
import pickle
import sys
from pathlib import Path

import pytest

import zoo
from tests.datasets.lines import SPEC, LinesOptions, numbered, write
from zoo.datasets.dataset import KEPT, Dataset
from zoo.errors import InputError, RuntimeMissingError, UsageError


def test_samples_come_in_order_again_and_again(tmp_path: Path) -> None:
    dataset = Dataset(numbered(tmp_path / "set", 5), SPEC)
    assert [sample.key for sample in dataset] == [sample.key for sample in dataset] == ["0", "1", "2", "3", "4"]
    assert [sample.key for unit in dataset.units(2) for sample in dataset.read(unit)] == ["0", "1", "2", "3", "4"]
    assert len(dataset) == 5
    assert "5 samples" in repr(dataset) and "lines" in repr(dataset)


def test_random_access_as_in_a_list(tmp_path: Path) -> None:
    dataset = Dataset(numbered(tmp_path / "set", 5), SPEC)
    assert [dataset[i].key for i in (3, -1, 0)] == ["3", "4", "0"]
    for wrong in (5, -6):
        with pytest.raises(IndexError, match=f"no sample number {wrong}; it has 5"):
            dataset[wrong]


def test_a_stream_says_that_it_has_neither_length_nor_random_access(tmp_path: Path) -> None:
    dataset = Dataset(numbered(tmp_path / "set", 3), SPEC, LinesOptions(stream=True))
    assert [sample.key for sample in dataset] == ["0", "1", "2"]
    assert len(list(dataset)) == 3
    with pytest.raises(TypeError, match="lines keeps no count"):
        len(dataset)
    with pytest.raises(TypeError, match="in order only"):
        dataset[0]
    assert "? samples" in repr(dataset)
    assert operator.length_hint(dataset, 7) == 7


def test_a_broken_sample_ends_the_walk_unless_it_is_to_be_skipped(tmp_path: Path) -> None:
    path = write(tmp_path / "set", "a 4 4 amy", "b broken", "c 4 4 raj")
    with pytest.raises(InputError, match=r'the sample b \(.*set at byte 1\) cannot be read: its line says so. .*skip"'):
        list(Dataset(path, SPEC))
    dataset = Dataset(path, SPEC, on_error="skip")
    for _ in range(2):
        assert [sample.key for sample in dataset] == ["a", "c"]
        assert dataset.skipped == 1
        assert [(broken.key, broken.data) for broken in dataset.broken] == [("b", b"")]


def test_the_list_of_broken_samples_is_bounded_but_not_their_count(tmp_path: Path) -> None:
    dataset = Dataset(write(tmp_path / "set", *["x broken"] * (KEPT + 7)), SPEC, on_error="skip")
    assert list(dataset) == []
    assert (dataset.skipped, len(dataset.broken)) == (KEPT + 7, KEPT)


def test_it_goes_to_other_processes_without_its_reader(tmp_path: Path) -> None:
    dataset = Dataset(numbered(tmp_path / "set", 3), SPEC)
    dataset.reader.lines = ["not to be sent"]  # type: ignore[attr-defined]
    assert [sample.key for sample in pickle.loads(pickle.dumps(dataset))] == ["0", "1", "2"]


def test_a_folder_of_people_is_recognised_and_opened(fixtures: Path) -> None:
    dataset = zoo.open_dataset(fixtures / "identities")
    assert dataset.about.kind == "identities"
    assert len(dataset) == 40 == len(list(dataset))
    assert dataset.about.classes == ("amy", "bernadette", "howard", "leonard", "penny", "raj", "sheldon", "stuart")
    assert dataset.recognised[0].format == dataset.format.name
    with pytest.raises(UsageError, match="no option 'colour'"):
        zoo.open_dataset(fixtures / "identities", colour="red")
    with pytest.raises(UsageError, match='"raise" or "skip"'):
        zoo.open_dataset(fixtures / "identities", on_error="ignore")  # type: ignore[arg-type]


def test_without_torch_one_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "zoo.datasets.torch", raising=False)
    with pytest.raises(RuntimeMissingError, match="pip install torch"):
        Dataset(numbered(tmp_path / "set", 3), SPEC).to_torch()
