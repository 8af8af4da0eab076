"""Verification sets: insightface's pickled ``.bin`` files, and folders of images with a list of pairs."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import FormatSpec

ZOO_API = 1


@hookimpl
def zoo_formats() -> Iterator[FormatSpec]:
    """The formats ``verification-bin`` and ``pairs``."""
    yield FormatSpec(
        name="verification-bin",
        summary="insightface's lfw.bin and the like: a pickle of encoded images and of which pairs are one person.",
        kinds=("verification",),
        suffixes=(".bin",),
        sniff="zoo_verification.sniff:bin_file",
        reader="zoo_verification.bins:BinReader",
        writer="zoo_verification.binwriter:BinWriter",
        write_options="zoo_verification.options:BinOptions",
        holds=("pairs", "images"),
    )
    yield FormatSpec(
        name="pairs",
        summary="A folder of images with LFW's pairs.txt or a pairs_label.txt; or of people, to make pairs of.",
        kinds=("verification",),
        sniff="zoo_verification.sniff:pairs_folder",
        reader="zoo_verification.pairs:PairsReader",
        writer="zoo_verification.pairswriter:PairsWriter",
        read_options="zoo_verification.options:ReadPairsOptions",
        write_options="zoo_verification.options:WritePairsOptions",
        holds=("pairs", "images"),
        folder=True,
        makes={"identity-folders": "make=true"},
    )
