"""Whether memory stays flat: the peak of a run over many images against that of a run over few.

The images are small, of many sizes, and lie in a folder under many names each (hard links).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import Report, arguments, in_turn
from benchmarks.photographs import fill, weights
from benchmarks.startup import command

LIMIT = 1.2
"""At most so many times the peak of the short run."""
MODEL, METHOD = "yunet_n", "yunet"
LONGEST = 160
"""Pixels of the longest side of the images: 10,000 of them take a minute or two."""
DIFFERENT = 100
"""How many different images there are."""

MEASURE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
sys.stderr.buffer.write(done.stderr)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""
"""A process of its own starts the command and says what the largest of its children took."""


def peak(folder: Path, save: str, out: Path) -> float:
    """The peak resident memory in MiB of the zoo over `folder`."""
    shutil.rmtree(out, ignore_errors=True)
    return resident([*command(), "run", METHOD, "infer", folder, "--model", MODEL, f"save={save}", "--out", out])


def resident(words: Sequence[str | Path]) -> float:
    """The peak resident memory in MiB of the largest of a command's processes. Raises `RuntimeError` when it fails."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))} failed: {done.stderr.strip()}")
    return float(done.stdout) / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def measure(rounds: int, images: int, few: int) -> Report:
    """`images` against `few`, saving JSON lines, and saving annotated images as well."""
    report = Report("memory")
    if weights(MODEL) is None:
        report.facts["left out"] = f"the weights of {MODEL} are not on this machine"
        return report
    with tempfile.TemporaryDirectory() as text:
        work = Path(text)
        different = min(DIFFERENT, few)
        fill(work / "few", different, few // different, LONGEST)
        fill(work / "many", different, images // different, LONGEST)
        for save in ("jsonl", "images,jsonl"):
            actions = {name: lambda n=name, s=save: peak(work / n, s, work / "out") for name in ("many", "few")}
            taken = in_turn(rounds, actions, warm_up=0)
            what, peer = f"peak of {images} images, save={save}", f"peak of {few} images"
            report.compare(what, peer, taken["many"], taken["few"], "MiB", most=LIMIT)
    return report


if __name__ == "__main__":
    options = arguments(__doc__, rounds=1, images=10_000, few=100)
    measure(options.rounds, options.images, options.few).print()
