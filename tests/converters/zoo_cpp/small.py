"""A folder of C++ as the zoo writes it, written by hand: small, and every number of its outputs can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from zoo_cpp.cards import MODEL, Description

from zoo.registry import dump_card
from zoo.specs import Crop, ModelCard, Preprocess, Thresholds

HEADER = """
#pragma once
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
typedef struct NAME NAME;
int NAME_create(int max_width, int max_height, int threads, WEIGHTS NAME** model);
void NAME_destroy(NAME* model);
int NAME_sizes(int width, int height, size_t lengths[2]);
int NAME_run(NAME* model, const float* input, int width, int height, float* const outputs[], const size_t capacities[],
             int count);
const char* NAME_error(int code);
int NAME_alive(void);
#ifdef __cplusplus
}
#endif
"""

SOURCE = """
#include "NAME.h"
#include <atomic>
#include <cstdlib>
struct NAME {
    int width, height, threads;
    float shift;
    std::atomic<int> users;
};
static std::atomic<int> alive{0};
extern "C" int NAME_alive(void) { return alive; }
extern "C" const char* NAME_error(int code) {
    return code == 1 ? "its sides are no multiples of 4." : "it is too large.";
}
extern "C" int NAME_sizes(int width, int height, size_t lengths[2]) {
    if (width % 4 || height % 4) return 1;
    if (width > 4096 || height > 4096) return 2;
    lengths[0] = static_cast<size_t>(width / 4) * (height / 4);
    lengths[1] = 2 * lengths[0];
    return 0;
}
extern "C" int NAME_create(int width, int height, int threads, WEIGHTS NAME** model) {
    ++alive;
    *model = new NAME{width, height, threads, SHIFT, {0}};
    return 0;
}
extern "C" void NAME_destroy(NAME* model) {
    --alive;
    delete model;
}
extern "C" int NAME_run(NAME* model, const float* input, int width, int height, float* const outputs[],
                        const size_t capacities[], int count) {
    if (width > model->width || height > model->height || count != 2 || model->users.fetch_add(1)) abort();
    size_t cells = static_cast<size_t>(width / 4) * (height / 4);
    if (capacities[0] < cells || capacities[1] < 2 * cells) abort();
    for (size_t cell = 0; cell < cells; ++cell) {
        size_t y = cell / (width / 4) * 4, x = cell % (width / 4) * 4;
        outputs[0][cell] = input[PLACE] + model->shift;
        outputs[1][2 * cell] = static_cast<float>(model->width);
        outputs[1][2 * cell + 1] = static_cast<float>(model->threads);
    }
    model->users.fetch_sub(1);
    return 0;
}
"""

CARD = ModelCard(
    "small",
    "yunet",
    "The first channel of every fourth pixel.",
    preprocess=Preprocess(multiple=4),
    outputs=("picked", "said"),
    thresholds={"photo": Thresholds(0.5, 0.5)},
)
CROPPED = ModelCard(
    "small", "arcface", "The same of a face.", preprocess=Preprocess(size="16x8", crop=Crop("square")), embedding=8
)


def write(folder: Path, name: str = "small", shift: float = 0.0, card: ModelCard = CARD, **more: Any) -> Path:
    """A program whose first output is the first channel of every fourth pixel plus `shift`, which with `binary` is in
    its file of weights; the second says the width of the model that computed it, and its threads."""
    import json

    described = Description(
        name, card.input, (("picked", 1), ("said", 2)), multiple=4, card=json.loads(dump_card(card)), **more
    )
    folder.mkdir()
    (folder / MODEL).write_text(described.to_json())
    words = {
        "SHIFT": "size == 4 ? *static_cast<const float*>(weights) : -1.0f"
        if described.binary
        else f"{float(shift)!r}f",
        "WEIGHTS": "const void* weights, size_t size," if described.binary else "",
        "PLACE": "3 * (y * width + x)" if described.layout == "nhwc" else "y * width + x",
        "NAME": name,
    }
    for suffix, text in ((".h", HEADER), (".cpp", SOURCE)):
        for word, value in words.items():
            text = text.replace(word, value)
        (folder / f"{name}{suffix}").write_text(text)
    if described.binary:
        (folder / f"{name}.bin").write_bytes(np.float32(shift).tobytes())
    return folder
