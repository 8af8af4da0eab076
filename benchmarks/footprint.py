"""What one detection takes of memory: peaks of processes that do nothing else, as Linux tells them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import compiled
from benchmarks.harness import ROOT, run
from zoo.types import Image

STATUS = "/proc/self/status"
"""Where Linux says what a process has taken. What its parent is told counts the parent's own memory before exec."""
PROGRAMS = {
    "Python with NumPy": "",
    "onnxruntime": "import onnxruntime\n"
    "options = onnxruntime.SessionOptions()\n"
    "options.intra_op_num_threads = 1\n"
    "session = onnxruntime.InferenceSession(file, options, providers=['CPUExecutionProvider'])\n"
    "session.run(None, {session.get_inputs()[0].name: np.zeros((1, 3, height, width), np.float32)})\n",
    "cv2.FaceDetectorYN": "import cv2\n"
    "cv2.setNumThreads(1)\n"
    "cv2.FaceDetectorYN.create(file, '', (width, height)).detect(np.zeros((height, width, 3), np.uint8))\n",
}
"""Programs that run once on one thread, between `HEAD` and `TAIL`."""
HEAD = "import sys\nimport numpy as np\nfile, width, height = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])\n"
TAIL = f"print(open({STATUS!r}).read())\n"


def once(out: Path) -> Path:
    """The program that finds the faces in one image and ends."""
    links = "" if sys.platform == "darwin" else "-ldl"
    return compiled.compiled(out, "", ("-std=c++17", "-O2"), [ROOT / "benchmarks" / "once.cpp"], links).path


def peaks(
    once: Path, image: Image, libraries: Mapping[str, compiled.Library], network: Path, work: Path
) -> dict[str, float]:
    """Peak resident memory in MiB on one thread: of a program (`once`) that only reads `image`, of the same with each
    of `libraries`, of Python with NumPy, and of the same with each runtime and the ONNX file `network`. Empty where
    the system does not tell."""
    if not Path(STATUS).is_file():
        return {}
    raw = work / "picture.raw"
    raw.write_bytes(image.tobytes())
    height, width = map(str, image.shape[:2])
    words: list[str | Path] = [once, raw, width, height]
    commands: dict[str, Sequence[str | Path]] = {"reading the image": words}
    commands |= {name: [*words, library.path, library.name] for name, library in libraries.items()}
    for name, program in PROGRAMS.items():
        commands[name] = [sys.executable, "-c", HEAD + program + TAIL, network, width, height]
    return {name: _peak(run(command)) for name, command in commands.items()}


def _peak(status: str) -> float:
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) / 1024, 1)
