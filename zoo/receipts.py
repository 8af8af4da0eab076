"""Receipts: what an output was made from, with what, and that every input is accounted for.

A receipt is a JSON file beside its output. What can be compared between two runs stands apart from what differs
between them by nature (times, speed): the latter is all under ``run``.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from zoo import __version__
from zoo.errors import InputError, UsageError
from zoo.files import atomic_write, sha256

SCHEMA = 1
SUFFIX = ".zoo.json"
MANY = 1000
AT_ONCE = 4
"""Files whose hashes are taken at the same time."""
PACKAGES = (
    *("numpy", "opencv-python-headless", "onnxruntime", "onnxruntime-gpu", "onnx", "torch", "timm", "safetensors"),
    *("tensorflow", "tf2onnx", "ai-edge-litert", "ai-edge-quantizer", "litert-torch"),
)


def write(
    path: Path,
    facts: Mapping[str, Any],
    outputs: tuple[Path, ...],
    run: Mapping[str, Any],
    hashes: Mapping[Path, str] = MappingProxyType({}),
) -> Path:
    """Write the receipt `path` (ending in ``.zoo.json``) and return it.

    `facts` are the comparable facts (model, options, counts, licences). Of `outputs`, files are recorded with size and
    SHA-256, folders with the number of their files and one hash over all. `run` holds what differs between equal runs.
    `hashes` are the SHA-256 of those files that need not be read for it.
    """
    document = {
        "schema": SCHEMA,
        **facts,
        "outputs": [describe(output, path.parent, hashes) for output in outputs],
        "versions": versions(),
        "run": {"finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), **run},
    }
    document["seal"] = seal(document)
    atomic_write(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return path


def seal(document: Mapping[str, Any]) -> str:
    """The SHA-256 over all of a receipt but its own ``seal``, whatever its layout: it tells that a byte was changed, by
    a disk or by a hand that did not mean to deceive."""
    rest = {name: value for name, value in document.items() if name != "seal"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def find(path: Path) -> Path:
    """The receipt of what lies at `path`, or `path` itself where it is one. Raises `UsageError` when there is none."""
    places = [path] if path.name.endswith(SUFFIX) else [path.with_name(path.name + SUFFIX)]
    if path.is_dir():
        places += sorted(path.glob(f"*{SUFFIX}"))
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        name = places[0].name
        raise UsageError(f"There is no receipt of {path}: what the zoo writes has one beside it, named {name}.")
    return found


def read(path: Path) -> dict[str, Any]:
    """The receipt at `path`. Raises `InputError` when it is damaged or of a later zoo."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged or no receipt: {error}.") from None
    if not isinstance(document, dict) or not isinstance(document.get("outputs"), list):
        raise InputError(f"{path} is damaged or no receipt.")
    if document.get("schema") != SCHEMA:
        raise InputError(f"{path} has the schema {document.get('schema')!r}, and this zoo reads {SCHEMA}.")
    return document


def describe(output: Path, folder: Path, hashes: Mapping[Path, str] = MappingProxyType({})) -> dict[str, Any]:
    """What a receipt in `folder` records of an output: name, size and hash of a file, the sums over a folder. Files
    whose `hashes` are known are not read."""
    name = output.relative_to(folder).as_posix() if output.is_relative_to(folder) else str(output)
    if output.is_dir():
        return {"folder": name, **_tree(output, hashes)}
    return {"file": name, "size": output.stat().st_size, "sha256": hashes.get(output) or sha256(output)}


def _tree(folder: Path, hashes: Mapping[Path, str]) -> dict[str, Any]:
    """How many files a folder holds, their bytes, and one hash over their names and contents; over names and sizes
    where there are more than `MANY`."""
    digest, root = hashlib.sha256(), str(folder)
    files = sorted(_files(root, ""), key=lambda file: file[0].replace("/", "\0"))  # as paths sort: part by part
    many = len(files) > MANY

    def hashed(file: tuple[str, int]) -> str:
        path = folder / file[0]
        return hashes.get(path) or sha256(path)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = (str(size) for _, size in files) if many else pool.map(hashed, files)
        for (name, _), text in zip(files, told, strict=True):
            digest.update(f"{name}\0{text}\n".encode())
    of = "names and sizes" if many else "names and contents"
    total = sum(size for _, size in files)
    return {"files": len(files), "bytes": total, "sha256": digest.hexdigest(), "sha256_of": of}


def _files(root: str, folder: str) -> Iterator[tuple[str, int]]:
    """Relative path and size of each file below ``root/folder``. With `Path`, this took half the time of a conversion
    to a hundred thousand files."""
    with os.scandir(f"{root}/{folder}") as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(root, f"{folder}{entry.name}/")
            elif entry.is_file():
                yield folder + entry.name, entry.stat().st_size


def versions() -> dict[str, str]:
    """The versions of the zoo, of Python and of the packages that results may depend on, by name."""
    found = {"zoo": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
