"""The C++ source of the network that a data file belongs to, for libfacedetection to be compiled with.

The library's own has the 53 convolutions of yunet_s written into it. This one is the same for every YuNet but for the
constants at its beginning. It stands on the kernels that ``src/facedetectcnn.h`` of the library declares.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from zoo_libfacedetection.layers import layers, rows

SCORE, OVERLAP, CANDIDATES, FACES = "0.2f", "0.45f", 1000, 512
"""The library's own thresholds: ``src/facedetectcnn-model.cpp``."""

_HEAD = """\
// The network {name} for libfacedetection, written by facezoo: use it in place of src/facedetectcnn-model.cpp, and the
// facedetectcnn-data.cpp that was written with it in place of the library's. See README.txt.
// SPDX-License-Identifier: MIT
#include "facedetectcnn.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

extern ConvInfoStruct param_pConvInfo[{count}];

namespace {{

constexpr int kRows = {count};
constexpr int kLevels = {levels};
constexpr int kTaps[kLevels] = {{{taps}}};  // stages whose maps are the levels, counted from 0
constexpr int kStrides[kLevels] = {{{strides}}};  // pixels of the image for one cell
constexpr bool kPooled[] = {{{pooled}}};  // stages after which the map is halved
constexpr int kMultiple = {multiple};  // an image's sides are padded to a multiple of it
constexpr int kShared = {shared}, kStacked = {stacked};  // units of the head for all predictions, and for each kind
constexpr float kScore = {score}, kOverlap = {overlap};
constexpr int kCandidates = {candidates}, kFaces = {faces};

// The first row of each part.
constexpr int kNeck = {rows.neck}, kSharedTower = {rows.shared};
constexpr int kClassesTower = {rows.classes_tower}, kPlacesTower = {rows.places_tower};
constexpr int kClasses = {rows.classes}, kBoxes = {rows.boxes}, kObjects = {rows.objects}, kPoints = {rows.points};

struct Shape {{
    int inputs, outputs;
    bool depthwise;
}};
constexpr Shape kShapes[kRows] = {{
{shapes}
}};

"""

_README = """\
{name} for libfacedetection (https://github.com/ShiqiYu/libfacedetection), written by facezoo

facedetectcnn-data.cpp   the weights, {count} convolutions: takes the place of src/facedetectcnn-data.cpp
facedetectcnn-model.cpp  the network that belongs to them: takes the place of src/facedetectcnn-model.cpp

{fits}
Copy both over those of a checkout of the library and build it as ever:

    cp facedetectcnn-data.cpp facedetectcnn-model.cpp libfacedetection/src/
    cmake -S libfacedetection -B build -DCMAKE_BUILD_TYPE=Release -DENABLE_AVX2=ON && cmake --build build

or without CMake, which else writes facedetection_export.h, from this folder:

    echo '#define FACEDETECTION_EXPORT' > facedetection_export.h
    g++ -O3 -mavx2 -mfma -D_ENABLE_AVX2 -I. -Ilibfacedetection/src -o detect YOUR_PROGRAM.cpp \\
        facedetectcnn-data.cpp facedetectcnn-model.cpp libfacedetection/src/facedetectcnn.cpp

Leave -mavx2 -mfma -D_ENABLE_AVX2 out for processors without AVX2. facedetect_cnn and objectdetect_cnn are called as the
library's own. facedetectcnn-model.cpp may be used under the MIT licence, the library under its own; whose the weights
are, the licences in model.json say.
"""

_OWN = "These weights fit the library's own facedetectcnn-model.cpp, too: then the data file alone is replaced.\n"
_OTHER = "The library's own facedetectcnn-model.cpp is another network's and would find nothing with these weights.\n"
_LIBRARYS = {
    "stem": 16,
    "widths": (16, 32, 64, 64, 64, 64),
    "pooled": (0, 2, 3, 4),
    "taps": (3, 4, 5),
    "shared": 0,
    "stacked": 0,
}
"""The network that the library's own source has in it: yunet_s."""


def source(config: Any, name: str) -> str:
    """The source of the network that `config`, that of a YuNet, describes; `name` is a model's id, for a comment."""
    found, pooled = layers(config), set(config.pooled)
    return _HEAD.format(
        name=_word(name),
        count=len(found),
        levels=len(config.taps),
        taps=_list(config.taps),
        strides=_list(config.strides),
        pooled=_list(str(stage in pooled).lower() for stage in range(len(config.widths))),
        multiple=config.strides[-1],
        shared=config.shared,
        stacked=config.stacked,
        score=SCORE,
        overlap=OVERLAP,
        candidates=CANDIDATES,
        faces=FACES,
        rows=rows(config),
        shapes="\n".join(f"    {{{layer.row[0]}, {layer.row[1]}, {str(layer.row[2]).lower()}}}," for layer in found),
    ) + files("zoo_libfacedetection").joinpath("source/network.inc").read_text("utf-8")


def readme(config: Any, name: str) -> str:
    """Which file replaces which, and how to compile them."""
    own = all(getattr(config, field) == value for field, value in _LIBRARYS.items())
    return _README.format(name=_word(name), count=len(layers(config)), fits=_OWN if own else _OTHER)


def _list(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def _word(name: str) -> str:
    """`name` as it may stand in a comment: an id may hold anything."""
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)
