"""All files of a program in C++, from an ONNX file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from zoo.errors import UsageError
from zoo.registry import dump_card
from zoo.runtimes import open_session
from zoo.specs import ModelCard
from zoo_cpp import cards, examples, interface
from zoo_cpp import engine as engines
from zoo_cpp import numbers as stores
from zoo_cpp.golden import TOLERANCES, Golden, golden
from zoo_cpp.options import CppOptions
from zoo_cpp.program import Array, Program
from zoo_cpp.reader import read
from zoo_cpp.reference import evaluate
from zoo_cpp.schedule import schedule
from zoo_cpp.tables import tables

MANY = 1 << 20
"""Numbers above which they go into a file of their own: compilers take minutes for arrays of millions."""

TYPICAL = (640, 480)
"""Width and height in pixels by which memory is shared best, of networks that take any size."""


def generate(
    path: Path,
    folder: Path,
    card: ModelCard,
    options: CppOptions,
    storage: stores.Storage = "float32",
    fixed: tuple[int, int] | None = None,
) -> cards.Description:
    """Write the program of the ONNX file at `path`, which `card` describes, into the new `folder`. `fixed` is the only
    (width, height) that it is to take, None for any that the network takes.

    Raises `ModelError` for a network that C++ cannot be made of, `UsageError` for a size that it does not take.
    """
    program = _fixed(read(path, card), fixed)
    planned = schedule(program, *(program.fixed or TYPICAL))
    made = tables(planned)
    stored = stores.numbers(made.packed, storage)
    binary = options.data == "binary" or (options.data == "auto" and stored.length > MANY)
    words, data = stores.in_file(stored) if binary else (stores.in_source(stored), b"")
    known = _golden(path, card, program, storage)
    face = interface.describe(card, program, known, name=options.name, binary=binary)
    texts = {
        f"{face.name}.h": interface.header(face),
        f"{face.name}.cpp": interface.source(face, engines.engine(planned, made, words)),
        "example.cpp": examples.example(face),
        "CMakeLists.txt": interface.cmake(face),
    }
    described = cards.Description(
        name=face.name,
        input=card.input,
        outputs=tuple((output.name, output.columns) for output in program.outputs),
        layout=card.preprocess.layout,
        fixed=program.fixed,
        multiple=program.multiple,
        binary=binary,
        card=json.loads(dump_card(card)),
        golden=known.to_json(),
    )
    folder.mkdir()
    for name, text in {**texts, cards.MODEL: described.to_json()}.items():
        (folder / name).write_text(text, "utf-8")
    if binary:
        (folder / f"{face.name}.bin").write_bytes(data)
    return described


def _fixed(program: Program, wanted: tuple[int, int] | None) -> Program:
    if wanted is None or program.fixed == wanted:
        return program
    if program.fixed or any(side % program.multiple for side in wanted):
        takes = "{}x{}".format(*program.fixed) if program.fixed else f"sides that are multiples of {program.multiple}"
        raise UsageError(f"The network takes {takes} only, and not {wanted[0]}x{wanted[1]}.")
    return replace(program, fixed=wanted)


def _golden(path: Path, card: ModelCard, program: Program, storage: stores.Storage) -> Golden:
    if any(step.quantised for step in program.steps):  # what is rounded elsewhere too would differ by as much again
        return golden(lambda tensor: evaluate(program, _rows(tensor, card)), card, program, TOLERANCES["int8"])
    session = open_session(path, "onnx", threads=1, device="cpu", card=card)

    def run(tensor: Array) -> list[Array]:
        return session.run({session.inputs[0].name: tensor})

    return golden(run, card, program, TOLERANCES[storage])


def _rows(tensor: Array, card: ModelCard) -> Array:
    """One image of a card's tensor as (H, W, C)."""
    image: Array = tensor[0] if card.preprocess.layout == "nhwc" else tensor[0].transpose(1, 2, 0)
    return image
