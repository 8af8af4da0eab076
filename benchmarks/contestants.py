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
from pathlib import Path
from typing import Any

import cv2
import numpy as np

Boxes = list[list[float]]
Find = Callable[[np.ndarray], Boxes]
MULTIPLE = 32


def opencv(model: str, weights: Path) -> Find:
    """OpenCV's own YuNet, as its samples use it, with the zoo's thresholds."""
    detector = cv2.FaceDetectorYN.create(str(weights), "", (320, 320), *_thresholds(model), 5000)

    def find(image: np.ndarray) -> Boxes:
        detector.setInputSize((image.shape[1], image.shape[0]))
        _, found = detector.detect(image)
        rows = np.zeros((0, 15), np.float32) if found is None else found
        return np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4], rows[:, 14:]], axis=1).tolist()

    return find


def onnxruntime(model: str, weights: Path) -> Find:
    """The plain loop that one would write: default session options, OpenCV's blob, the zoo's own decoding."""
    import onnxruntime

    import zoo
    from zoo.inference.detector import Prepared
    from zoo.inference.preprocess import Fitted

    session = onnxruntime.InferenceSession(str(weights), providers=["CPUExecutionProvider"])
    detector: Any = zoo.load(model, weights=weights, threads=1)
    cv2.setNumThreads(-1)  # back to its default, which the line above changed
    contract, name = detector.card.preprocess, session.get_inputs()[0].name
    square = int(contract.size.partition("x")[0]) if contract.size != "original" else 0

    def find(image: np.ndarray) -> Boxes:
        height, width = image.shape[:2]
        scale = square / max(height, width) if square else 1.0
        if square:
            image = cv2.resize(image, (int(width * scale), int(height * scale)))
        inner_height, inner_width = image.shape[:2]
        bottom, right = ((square or -(-side // MULTIPLE) * MULTIPLE) - side for side in image.shape[:2])
        padded = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
        mean = contract.mean[::-1] if contract.colour == "rgb" else contract.mean
        blob = cv2.dnn.blobFromImage(padded, contract.scale, mean=mean[::-1], swapRB=contract.colour == "rgb")
        outputs = [array.reshape(-1, array.shape[-1]) for array in session.run(None, {name: blob})]
        fitted = Fitted(blob, inner_width / width, inner_height / height)
        return _rows(detector.finish(Prepared((fitted,)), [outputs]))

    return find


def _rows(faces: Any) -> Boxes:
    return np.concatenate([faces.boxes, faces.scores[:, None]], axis=1).tolist()


def _thresholds(model: str) -> tuple[float, float]:
    from zoo.plugins import catalogue

    chosen = catalogue().cards[model].thresholds["photo"]
    return chosen.score, chosen.nms


def loop(find: Find, paths: Sequence[Path]) -> tuple[float, dict[str, Boxes]]:
    """Read and search each file; the seconds that took, without the first image, which warms up what it needs."""
    find(cv2.imread(str(paths[0])))
    started = time.perf_counter()
    found = {path.name: find(cv2.imread(str(path))) for path in paths}
    return time.perf_counter() - started, found


def zoo_loop(model: str, folder: Path, out: Path) -> tuple[float, dict[str, Boxes]]:
    """The zoo's task over the folder to JSON lines, model loading and receipt included."""
    from zoo import tasks
    from zoo.inference import task  # noqa: F401 - imported before the clock starts, as the peers' modules are

    found: dict[str, Boxes] = {}

    def take(record: dict[str, Any]) -> None:
        found[record["image"]] = [[*face["box"], face["score"]] for face in record["faces"]]

    method = tasks.loading.find_card(model).method
    asked = tasks.request(method, "infer", [str(folder)], {"model": model, "save": "jsonl"}, out=out, emit=take)
    started = time.perf_counter()
    tasks.run(asked)
    return time.perf_counter() - started, found


PEERS = {"opencv": opencv, "onnxruntime": onnxruntime}


def main(name: str, model: str, weights: str, folder: str, out: str = "") -> None:
    if name == "zoo":
        spent, found = zoo_loop(model, Path(folder), Path(out))
    else:
        spent, found = loop(PEERS[name](model, Path(weights)), sorted(Path(folder).iterdir()))
    print(json.dumps({"seconds": spent, "found": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
