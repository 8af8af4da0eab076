"""YuNet as generated C++ against libfacedetection, onnxruntime and OpenCV, on one thread and on two.

The network alone takes a float array whose sides are multiples of 32 (320x256 in the place of 320x240, which the others
pad to it); the whole takes the sample photograph, made that large, to faces at the thresholds of libfacedetection.
libfacedetection holds yunet_s; without a checkout in ``ZOO_LIBFACEDETECTION`` it is left out (`benchmarks.compiled`).
"""

from __future__ import annotations

import contextlib
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from zoo_cpp import compiler
from zoo_cpp.cards import read

from benchmarks import compiled, footprint
from benchmarks.compiled import AVX2, HIGHWAY, HIGHWAY_AVX2, OPENMP, PLAIN, Faces, Generated, Libfacedetection, Library
from benchmarks.harness import Report, arguments, in_turn, run, seconds
from benchmarks.photographs import sample, weights
from benchmarks.startup import command
from zoo import images
from zoo.types import Image

MODELS = ("yunet_n", "yunet_s")
SIZES = ((320, 240), (640, 480), (1280, 720))
BARRED = (640, 480)
"""The size at which the bars of `PAIRS` hold, on one thread."""
MULTIPLE = 32
PAUSE = 0.01
"""Seconds before each turn, in which the threads of the contestant before, which wait awake for more, fall asleep."""
PIXELS = 1 << 20
"""A turn is one call that is not counted and so many that, together, they see about so many pixels."""
CLEAR = 0.5
"""Everyone must find a face of at least this score: rounding may move weaker ones across a threshold."""
OURS, NARROW = "generated C++", "generated C++, AVX2"
YN, ORT, DNN = "cv2.FaceDetectorYN", "onnxruntime", "OpenCV DNN"
NETWORK, WHOLE = "network", "whole"

Call = Callable[[], object]


@dataclass(frozen=True)
class Pair:
    """Two contestants that are compared in `how`, and the bar: the network's seconds are at most `most` times the
    peer's, the images a second of the whole at least `least` times."""

    how: str
    ours: str
    peer: str
    most: float | None = None
    least: float | None = None


PAIRS = (
    Pair(NETWORK, OURS, ORT, most=1.1),
    Pair(NETWORK, OURS, DNN),
    Pair(NETWORK, NARROW, ORT),
    Pair(WHOLE, OURS, PLAIN, least=3.0),
    Pair(WHOLE, NARROW, PLAIN, least=3.0),
    Pair(WHOLE, OURS, OPENMP),
    Pair(WHOLE, NARROW, OPENMP),
    Pair(WHOLE, OURS, HIGHWAY),
    Pair(WHOLE, NARROW, HIGHWAY_AVX2),
    Pair(WHOLE, OURS, YN),
)
"""`NARROW` is compiled for the same instructions as libfacedetection for AVX2, `OURS` for all of this processor."""


def entry(how: str, name: str) -> str:
    """What a contestant is called that takes part in `how`."""
    return f"{name}, {how}"


@dataclass(frozen=True)
class Network:
    """One model: its ONNX file, its generated C++, and the libraries by the name of the contestant."""

    model: str
    file: Path
    folder: Path
    libraries: Mapping[str, Library]

    def open(
        self, name: str, size: tuple[int, int], threads: int, stack: contextlib.ExitStack
    ) -> Generated | Libfacedetection:
        """A contestant that is a library, for images of up to that size, until `stack` ends."""
        library = self.libraries[name]
        if name not in (OURS, NARROW):
            return Libfacedetection(library, threads)
        return stack.enter_context(contextlib.closing(Generated(library, self.outputs, *size, threads)))

    @property
    def outputs(self) -> int:
        """How many outputs it has."""
        return len(read(self.folder).outputs)


@dataclass
class Yunet:
    """OpenCV's own detector."""

    file: Path
    found: np.ndarray = field(default_factory=lambda: np.zeros((0, 15), np.float32))

    def detection(self, image: np.ndarray) -> Call:
        """As `Generated.detection`."""
        thresholds = (compiled.SCORE, compiled.OVERLAP, compiled.CAPACITY)
        detector = cv2.FaceDetectorYN.create(str(self.file), "", image.shape[1::-1], *thresholds)

        def call() -> None:
            _, rows = detector.detect(image)
            self.found = np.zeros((0, 15), np.float32) if rows is None else rows

        return call

    def faces(self) -> Faces:
        """As `Generated.faces`."""
        corners = self.found[:, :2]
        return np.concatenate([corners, corners + self.found[:, 2:4], self.found[:, 14:]], axis=1)


def onnxruntime(file: Path, tensor: np.ndarray, threads: int) -> Call:
    """A call of the network, which leaves the outputs where onnxruntime has put them."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_cpu_input(session.get_inputs()[0].name, tensor)
    for output in session.get_outputs():
        binding.bind_output(output.name)
    return lambda: session.run_with_iobinding(binding)


def opencv(file: Path, tensor: np.ndarray) -> Call:
    """A call of the network, with as many threads as OpenCV has."""
    net = cv2.dnn.readNetFromONNX(str(file))
    names = net.getUnconnectedOutLayersNames()

    def call() -> object:
        net.setInput(tensor)
        return net.forward(names)

    return call


def photograph() -> Image:
    """The sample, (H, W, 3) uint8."""
    return images.read(sample())


def picture(width: int, height: int) -> Image:
    """The sample, made `width` x `height`: (H, W, 3) uint8."""
    return cv2.resize(photograph(), (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def tensor_of(image: np.ndarray) -> np.ndarray:
    """(1, 3, H, W) float32, padded to multiples of 32."""
    bottom, right = (-side % MULTIPLE for side in image.shape[:2])
    padded = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
    return np.ascontiguousarray(padded.transpose(2, 0, 1)[None], np.float32)


def turn(call: Call, pixels: int) -> float:
    """Seconds that a call takes, on average of several in a row, with caches and threads awake."""
    time.sleep(PAUSE)
    call()
    count = max(1, PIXELS // pixels)
    return seconds(lambda: [call() for _ in range(count)]) / count


def calls(network: Network, size: tuple[int, int], threads: int, stack: contextlib.ExitStack) -> dict[str, Call]:
    """What takes part at that size, by how and name, until `stack` ends."""
    cv2.setNumThreads(threads)
    image = picture(*size)
    tensor = tensor_of(image)
    made: dict[str, Call] = {
        entry(NETWORK, ORT): onnxruntime(network.file, tensor, threads),
        entry(NETWORK, DNN): opencv(network.file, tensor),
        entry(WHOLE, YN): Yunet(network.file).detection(image),
    }
    for name in network.libraries:
        if name in ((OPENMP,) if threads == 1 else (PLAIN, HIGHWAY, HIGHWAY_AVX2)):
            continue  # of libfacedetection's builds only that with OpenMP has threads
        opened = network.open(name, (tensor.shape[3], tensor.shape[2]), threads, stack)
        made[entry(WHOLE, name)] = opened.detection(image)
        if isinstance(opened, Generated):
            made[entry(NETWORK, name)] = opened.network(tensor)
    return made


def race(report: Report, network: Network, size: tuple[int, int], threads: int, rounds: int) -> None:
    """Everyone at one size, in turn."""
    with contextlib.ExitStack() as stack:
        made = calls(network, size, threads, stack)
        actions = {name: lambda call=call: turn(call, size[0] * size[1]) for name, call in made.items()}
        taken = in_turn(rounds, actions)
    what = f"{network.model}, {size[0]}x{size[1]}, {'one thread' if threads == 1 else f'{threads} threads'}"
    for pair in PAIRS:
        if {entry(pair.how, pair.ours), entry(pair.how, pair.peer)} <= taken.keys():
            _compare(report, what, pair, taken, barred=size == BARRED and threads == 1)
    fastest = ", ".join(f"{name} {min(times) * 1e3:.2f} ms" for name, times in taken.items())
    print(f"{what}: {fastest}", file=sys.stderr)


def _compare(report: Report, what: str, pair: Pair, taken: Mapping[str, list[float]], *, barred: bool) -> None:
    ours, theirs = (taken[entry(pair.how, name)] for name in (pair.ours, pair.peer))
    said = f"{what}, {pair.how}{pair.ours.removeprefix(OURS)}"
    if pair.how == NETWORK:
        report.compare(said, pair.peer, ours, theirs, "s", most=pair.most if barred else None)
        return
    fast, slow = ([1 / spent for spent in side] for side in (ours, theirs))
    report.compare(said, pair.peer, fast, slow, "images/s", least=pair.least if barred else None)


def agreement(network: Network) -> dict[str, Any]:
    """How many clear faces each finds in the sample, and how far their boxes are from ours at most, in pixels. Raises
    `RuntimeError` where the numbers differ: what finds other faces is not to be compared."""
    image = photograph()
    with contextlib.ExitStack() as stack:
        finders: dict[str, Any] = {YN: Yunet(network.file)}
        finders |= {name: network.open(name, image.shape[1::-1], 1, stack) for name in network.libraries}
        found = {name: _clear(finder, image) for name, finder in finders.items()}
    ours = found[OURS]
    if any(len(faces) != len(ours) for faces in found.values()):
        raise RuntimeError(f"not the same faces are found: { {name: len(faces) for name, faces in found.items()} }")
    far = {name: round(float(np.abs(faces - ours).max()), 2) for name, faces in found.items() if name != OURS}
    return {"faces": len(ours), "box_pixels": far}


def _clear(finder: Any, image: np.ndarray) -> np.ndarray:
    """The boxes of the clear faces, from left to right."""
    finder.detection(image)()
    faces = finder.faces()
    boxes: np.ndarray = faces[faces[:, 4] >= CLEAR, :4]
    return boxes[np.argsort(boxes[:, 0])]


def memory(network: Network, once: Path, work: Path) -> dict[str, Any]:
    """What finding the faces in one image of `BARRED` on one thread takes (`benchmarks.footprint`), and the bytes that
    the generated C++ says that it needs."""
    with contextlib.closing(Generated(network.libraries[OURS], network.outputs, *BARRED, 1)) as opened:
        said = {f"{size[0]}x{size[1]}": opened.memory(*size, 1) for size in SIZES}
    peaks = footprint.peaks(once, picture(*BARRED), network.libraries, network.file, work)
    return {"peak MiB": peaks, "NAME_memory, bytes": said}


def build(model: str, file: Path, work: Path) -> Network:
    """Generate and compile: for this processor, and on x86 for the instructions that libfacedetection's build has."""
    folder = work / model
    run([*command(), "convert", file, folder, "--to", "cpp", "photo=none"])
    libraries = {OURS: compiled.generated(folder, work / f"{model}.so")}
    if platform.machine() in ("x86_64", "AMD64"):
        libraries[NARROW] = compiled.generated(folder, work / f"{model}_avx2.so", AVX2)
    return Network(model, file, folder, libraries)


def measure(rounds: int) -> Report:
    """Both models, all sizes."""
    report = Report("native")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # its detector warns of what it sets itself
    with tempfile.TemporaryDirectory() as text:
        work = Path(text)
        once = footprint.once(work / "once")
        others, missing = compiled.libfacedetection(work)
        report.facts |= {"compiler": compiler.health(), **missing}
        for model in MODELS:
            file = weights(model)
            if file is None:
                report.facts[model] = "its weights are not on this machine"
                continue
            network = build(model, file, work)
            if model == compiled.MODEL:
                network = replace(network, libraries={**network.libraries, **others})
            _measure(report, network, once, work, rounds)
    return report


def _measure(report: Report, network: Network, once: Path, work: Path, rounds: int) -> None:
    facts = {name: library.facts() for name, library in network.libraries.items()}
    report.facts[network.model] = {**facts, **agreement(network), **memory(network, once, work)}
    for size in SIZES:
        for threads in (1, 2):
            race(report, network, size, threads, rounds)


if __name__ == "__main__":
    measure(arguments(__doc__, rounds=20).rounds).print()
