"""Images that are copied beside their labels, by several workers at once."""

from __future__ import annotations

import threading
from pathlib import Path

from zoo.datasets.beside import copy_image
from zoo.datasets.sample import EncodedImage, Sample
from zoo.errors import InputError


def test_of_two_images_of_one_name_one_is_refused_however_they_meet(tmp_path: Path) -> None:
    work, folder = tmp_path / "work", tmp_path / "images"
    work.mkdir()
    for turn in range(100):
        refused: list[bytes] = []
        start = threading.Barrier(2)

        def copy(
            data: bytes, turn: int = turn, refused: list[bytes] = refused, start: threading.Barrier = start
        ) -> None:
            sample = Sample(f"{turn}", EncodedImage(data, "jpeg"))
            start.wait()
            try:
                copy_image(folder, f"{turn}.jpg", sample, work)
            except InputError:
                refused.append(data)

        several = [threading.Thread(target=copy, args=(bytes([mark]) * 1000,)) for mark in (1, 2)]
        for one in several:
            one.start()
        for one in several:
            one.join()
        kept = (folder / f"{turn}.jpg").read_bytes()
        assert [kept, *refused] in ([b"\1" * 1000, b"\2" * 1000], [b"\2" * 1000, b"\1" * 1000])
    assert list(work.iterdir()) == []
