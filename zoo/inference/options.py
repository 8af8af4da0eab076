"""The options of detectors and of the task ``infer``. Light: help and the command line read them without numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from zoo.options import option

Output = Literal["images", "jsonl", "csv", "wider", "coco", "npz"]


@dataclass(frozen=True)
class DetectorOptions:
    """What every detector understands."""

    size: str = option(
        "",
        "Input size: original, 1280 (longest side), 640x640 (fitted into width x height), or several with commas"
        " between, whose findings are merged. Default: the model's own.",
    )
    thresholds: str = option(
        "photo", "Set of thresholds: photo for photographs, protocol for the original's evaluation setting."
    )
    score_threshold: float | None = option(None, "Drop faces with a lower score.", least=0, most=1)
    nms_threshold: float | None = option(
        None, "Of two boxes that overlap by more than this IoU, drop the lower-scored.", least=0, most=1
    )
    max_faces: int = option(0, "Keep at most this many faces, the highest scores first; 0 keeps all.", least=0)


@dataclass(frozen=True)
class FaceOptions:
    """What every model that works on single faces understands: how the faces are found."""

    detector: str = option("", "Model that finds the faces, or its file. Default: the one that the model's card names.")
    size: str = option("", "Input size of the detector. Default: its own.")
    score_threshold: float | None = option(None, "Drop faces with a lower score.", least=0, most=1)
    max_faces: int = option(0, "Keep at most this many faces, the highest scores first; 0 keeps all.", least=0)

    def of_detector(self) -> dict[str, Any]:
        """The options that the detector is loaded with."""
        return {"size": self.size, "score_threshold": self.score_threshold, "max_faces": self.max_faces}


@dataclass(frozen=True)
class InferOptions:
    """What the task ``infer`` writes and how it goes about it."""

    save: tuple[Output, ...] = option(("images", "jsonl"), "What to write, with commas between.")
    workers: int = option(0, "Images processed at once; 0 is one a core.", least=0)
    batch: int = option(1, "Images given to the network at once, where it allows that.", least=1)
    recursive: bool = option(True, "Look into the folders in a folder.")
    quality: int = option(95, "Quality of the JPEG and WebP images written.", least=1, most=100)
    every: int = option(1, "Of a video, look at every n-th frame.", least=1)
    limit: int = option(0, "Stop after this many images or frames; 0 takes all.", least=0)
