"""What is written in a format is recognised as that format, whatever the writer's options."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters import driving
from tests.converters.samples import random_sample
from zoo.datasets.formats import About, Writer
from zoo.datasets.recognise import recognise
from zoo.datasets.sample import Sample
from zoo.options import make
from zoo.plugins import catalogue, resolve
from zoo.specs import FormatSpec

CASES: dict[str, list[dict[str, Any]]] = {
    "annot-pkl": [{"numpy": "1"}, {"numpy": "2"}, {"names": "number"}],
    "verification-bin": [
        {"elements": elements, "protocol": protocol} for elements in ("bytes", "ndarray") for protocol in "234"
    ],
    "pairs": [{"style": "label"}, {"style": "lfw"}],
    "insightface-rec": [{"layout": name} for name in ("recbuilder", "insightface", "package", "sequential")],
    "im2rec": [{}, {"list": "none"}],
    "tfrecord": [{"compression": form, "shard": shard} for form in ("none", "gzip", "zlib") for shard in (0, 3)],
    "tfrecord-landmark56": [{"strings": "many"}, {"strings": "one", "compression": "gzip"}],
    "webdataset": [{"shard": 0}, {"shard": 3}],
}


def samples(kind: str, spec: FormatSpec) -> list[Sample]:
    rng = np.random.default_rng(3)
    made = [random_sample(kind, rng, number) for number in range(8)]
    if spec.name == "insightface-rec":  # people in a row
        return [replace(sample, identity=number // 2) for number, sample in enumerate(made)]
    return made


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, options) for name, each in CASES.items() for options in each],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)
def test_what_is_written_is_recognised(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    spec = catalogue().formats[name]
    for kind in spec.kinds:
        given: Any = make(resolve(spec.write_options), options)

        def writer(work: Path, kind: str = kind, given: Any = given) -> Writer:
            made: Writer = resolve(spec.writer)(work, given, About(kind, 8, frozenset(spec.holds)))
            return made

        out = driving.write(writer, tmp_path / kind, samples(kind, spec))
        target = out.rename(tmp_path / f"{kind}-{name}{'' if out.is_dir() else ''.join(spec.suffixes[:1])}")
        assert recognise(target)[0].name == name
