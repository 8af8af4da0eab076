"""Models of single faces called at random under sanitizers; `test_interface` does the same to a detector."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the self-test's numbers are ONNX Runtime's")

from zoo_cpp.generate import generate
from zoo_cpp.options import CppOptions

from tests.converters.driving import SOAK
from tests.converters.zoo_cpp.building import STRICT, compilers
from tests.converters.zoo_cpp.graphs import graph, node
from zoo.plugins import catalogue

HERE = Path(__file__).parent
NUMBERS = {"mobilefacenet_foamliu": 128, "peppa_slim160": 143}
"""What the networks of these cards give for a face; landmarks are followed by what nobody reads."""


@pytest.mark.parametrize("name", NUMBERS)
def test_random_calls_do_no_harm(tmp_path: Path, name: str) -> None:
    """The network is as small as can be, and all around it is what the card says."""
    card = catalogue().cards[name]
    side, count = int(card.preprocess.size.partition("x")[0]), NUMBERS[name]
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(0, 1, (count, 3, 1, 1)).astype(np.float32), "b": np.zeros(count, np.float32)}
    nodes = [node("GlobalAveragePool", "x", "m"), node("Conv", "m w b", "c"), node("Flatten", "c", "y")]
    path = graph(tmp_path / "network.onnx", nodes, arrays, (1, 3, side, side))
    generate(path, tmp_path / "cpp", card, CppOptions(data="source"))
    (tmp_path / "cpp" / "model.h").write_text(f'#include "{name}.h"\n', "utf-8")
    flags = [*STRICT, "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-pthread", "-I."]
    flags += [f"-DNAME={name}", f"-DUPPER={name.upper()}", *(["-DFIND"] if card.landmarks else [])]
    sources = [f"{name}.cpp", str(HERE / "calling_faces_at_random.cpp")]
    command = [compilers()[0], *flags, *sources, "-o", "called"]
    done = subprocess.run(command, cwd=tmp_path / "cpp", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    calls = 3000 if SOAK == 1 else 50_000 * SOAK
    done = subprocess.run([tmp_path / "cpp" / "called", str(calls)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    outcomes = list(map(int, done.stdout.split()))
    assert sum(outcomes) == calls
    null, size, stride, face = 1, 2, 3, 10
    assert outcomes[0] > calls / 10
    assert all(outcomes[code] for code in (null, size, stride, face))
    assert outcomes[0] + sum(outcomes[code] for code in (null, size, stride, face)) == calls
