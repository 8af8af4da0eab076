"""Recognising TFRecord files by their first record."""

from __future__ import annotations

from pathlib import Path

from zoo.datasets.sample import Broken
from zoo.errors import InputError
from zoo_tfrecord import files, records, wire


def sniff(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is a TFRecord set of Examples, from 0 to 1, and why."""
    found, reason = _first_features(path)
    if found is None:
        return 0.0, reason
    if not found:
        return 0.4, f"{reason}, which is no tf.train.Example or an empty one"
    return (0.6, f"{reason} of 56-pixel landmarks") if _is_landmark56(found) else (0.9, f"{reason} and is an Example")


def sniff_landmark56(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is a TFRecord set of 56-pixel landmarks, from 0 to 1, and why."""
    found, reason = _first_features(path)
    if found and _is_landmark56(found):
        return 0.95, f"{reason} and has the features image and points"
    return 0.0, reason if found is None else f"{reason}, but not one of image and points"


def _is_landmark56(found: dict[bytes, wire.Feature]) -> bool:
    return {name: feature[0] for name, feature in found.items()} == {b"image": wire.BYTES, b"points": wire.FLOATS}


def _first_features(path: Path) -> tuple[dict[bytes, wire.Feature] | None, str]:
    """The features of the first record, none when it is no Example; None when there is no record; and a reason."""
    try:
        file = files.files(path)[0]
        form = files.compression(file)
        with files.window(file) as window:
            payload = next(records.payloads(window, file.name), (0, None))[1]
    except InputError as error:
        return None, str(error)
    if payload is None or isinstance(payload, Broken):
        return None, "does not begin with a TFRecord record and its checksums"
    packed = "" if form == "none" else f" (inside {form})"
    reason = f"begins with a record{packed} with right checksums"
    try:
        return wire.features(payload), reason
    except wire.WireError:
        return {}, reason
