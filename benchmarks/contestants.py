"""What `benchmarks.throughput` compares, each run as a process of its own:
``python -m benchmarks.contestants NAME MODEL WEIGHTS FOLDER``.

Prints a line of JSON: the seconds for the images alone (everything imported and loaded before), and the boxes found in
each.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np

Boxes = list[list[float]]
Find = Callable[[np.ndarray], Boxes]


def opencv(model: str, weights: Path) -> Find:
    """OpenCV's own YuNet, as its samples use it, with the zoo's thresholds."""
    detector = cv2.FaceDetectorYN.create(str(weights), "", (320, 320), *RECIPES[model].thresholds, 5000)

    def find(image: np.ndarray) -> Boxes:
        detector.setInputSize((image.shape[1], image.shape[0]))
        _, found = detector.detect(image)
        rows = np.zeros((0, 15), np.float32) if found is None else found
        return np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4], rows[:, 14:]], axis=1).tolist()

    return find


@dataclass(frozen=True)
class Recipe:
    """What somebody who writes a loop around one network knows of it: `square` is the side that images are fitted into
    (0: as they are, padded to a multiple of `multiple`), `scale`, `mean` (blue, green, red) and `swap` make its input;
    then its decoder, imported alone, with its arguments, thresholds, and convention of IoU (`zoo.geometry`)."""

    decoder: str
    arguments: tuple[Any, ...]
    thresholds: tuple[float, float]
    plus_one: bool = True
    square: int = 0
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    swap: bool = False
    multiple: int = 32


RECIPES = {
    "yunet_n": Recipe("zoo_yunet.decode", ((8, 16, 32),), (0.6, 0.45), plus_one=False),
    "scrfd_2.5g_bnkps": Recipe(
        "zoo_scrfd.decode", ((8, 16, 32),), (0.5, 0.4), square=640, scale=1 / 128, mean=(127.5,) * 3, swap=True
    ),
    "retinaface_mnet025": Recipe(
        "zoo_retinaface.decode",
        ((8, 16, 32), ((16, 32), (64, 128), (256, 512))),
        (0.6, 0.4),
        mean=(104, 117, 123),
        multiple=1,
    ),
}


def onnxruntime(model: str, weights: Path) -> Find:
    """The plain loop that one would write: default session options and OpenCV's blob, then our decoding and NMS."""
    import onnxruntime

    from zoo.geometry import nms

    recipe = RECIPES[model]
    decode = import_module(recipe.decoder).Decode(*recipe.arguments)
    session = onnxruntime.InferenceSession(str(weights), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def find(image: np.ndarray) -> Boxes:
        blob, scale = _blob(image, recipe)
        outputs = [array.reshape(-1, array.shape[-1]) for array in session.run(None, {name: blob})]
        faces = decode(outputs, blob.shape[3], blob.shape[2], recipe.thresholds[0])
        kept = nms(faces.boxes, faces.scores, recipe.thresholds[1], recipe.plus_one)
        return np.concatenate([faces.boxes[kept] / scale, faces.scores[kept, None]], axis=1).tolist()

    return find


def _blob(image: np.ndarray, recipe: Recipe) -> tuple[np.ndarray, float]:
    """The tensor of an image, and how many of its pixels one of the image became."""
    scale = recipe.square / max(image.shape[:2]) if recipe.square else 1.0
    if recipe.square:
        image = cv2.resize(image, (int(image.shape[1] * scale), int(image.shape[0] * scale)))
    multiple = recipe.square or recipe.multiple
    bottom, right = (-side % multiple for side in image.shape[:2])
    if bottom or right:
        image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
    return cv2.dnn.blobFromImage(image, recipe.scale, mean=recipe.mean, swapRB=recipe.swap), scale


def loop(find: Find, paths: Sequence[Path]) -> tuple[float, dict[str, Boxes]]:
    """Read and search each file; the seconds that took, without the first image, which warms up what it needs."""
    find(cv2.imread(str(paths[0])))
    started = time.perf_counter()
    found = {path.name: find(cv2.imread(str(path))) for path in paths}
    return time.perf_counter() - started, found


def zoo_loop(model: str, folder: Path, out: Path) -> tuple[float, dict[str, Boxes]]:
    """The zoo's task over the folder to JSON lines, timed by itself from when the model is loaded."""
    from zoo import tasks

    found: dict[str, Boxes] = {}

    def take(record: dict[str, Any]) -> None:
        found[record["image"]] = [[*face["box"], face["score"]] for face in record["faces"]]

    method = tasks.loading.find_card(model).method
    asked = tasks.request(method, "infer", [str(folder)], {"model": model, "save": "jsonl"}, out=out, emit=take)
    return float(tasks.run(asked).summary["seconds"]), found


PEERS = {"opencv": opencv, "onnxruntime": onnxruntime}


def main(name: str, model: str, weights: str, folder: str, out: str = "") -> None:
    if name == "zoo":
        spent, found = zoo_loop(model, Path(folder), Path(out))
    else:
        spent, found = loop(PEERS[name](model, Path(weights)), sorted(Path(folder).iterdir()))
    print(json.dumps({"seconds": spent, "found": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
