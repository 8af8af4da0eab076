"""libfacedetection's sources: to the byte where the library ships them, and compiled with it where it is at hand."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="weights of torch are converted")

from zoo_libfacedetection import data, folder  # noqa: E402
from zoo_libfacedetection.layers import conv_of, layers, rows  # noqa: E402

import zoo  # noqa: E402
from zoo import images  # noqa: E402
from zoo.errors import ModelError, UsageError  # noqa: E402
from zoo.inference.artifacts import identify  # noqa: E402
from zoo.models.convert import Ported, convert  # noqa: E402
from zoo.models.edges import network  # noqa: E402
from zoo.models.plan import make_plan  # noqa: E402
from zoo.networks.state import load_state  # noqa: E402
from zoo.plugins import catalogue, resolve  # noqa: E402

SHIPPED = "cf019963f413528540d6de741e72eea4f2f0b572ca85b22dd4baa8fc71b42bb6"
"""The hash of ``src/facedetectcnn-data.cpp`` in ShiqiYu/libfacedetection at acf7b254."""

WIDE = {"widths": [16, 36, 68, 68, 68, 68, 68], "pooled": [0, 2, 3, 4, 5], "taps": [3, 4, 5, 6]}
WIDE |= {"shared": 2, "stacked": 1, "features": 68}
"""A network of one's own: four levels, so that images are padded to 64, and widths that fill no vector."""


def built(arguments: dict[str, Any] | None = None, architecture: str = "yunet_n") -> Any:
    return network(replace(catalogue().cards["yunet_n"], architecture=architecture, network=arguments or {}))


def state_of(path: Path) -> dict[str, Any]:
    return dict(resolve(catalogue().formats["torch"].state)(path))


def ported(source: Path, target: Path, **values: Any) -> Ported:
    return convert(make_plan(source, target, {"photo": "none", **values}, target_format="libfacedetection"))


@pytest.fixture
def made(fixtures: Path, tmp_path: Path) -> Path:
    """The folder of yunet_n."""
    ported(fixtures / "yunet" / "yunet_n.pth", tmp_path / "out")
    return tmp_path / "out"


def test_the_data_file_is_the_librarys_own_to_the_byte(fixtures: Path, tmp_path: Path) -> None:
    done = ported(fixtures / "yunet" / "yunet_s.pth", tmp_path / "out")
    written = (tmp_path / "out" / folder.DATA).read_bytes()
    assert (len(written), hashlib.sha256(written).hexdigest()) == (445_771, SHIPPED)
    assert done.target.card.precision == "decimal3"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        [folder.DATA, folder.NETWORK, folder.README, folder.MODEL]
    )
    assert "the data file alone is replaced" in (tmp_path / "out" / folder.README).read_text()


def test_every_number_of_yunet_n_is_the_folded_weight_to_three_digits(fixtures: Path, made: Path) -> None:
    found = data.load(made / folder.DATA)
    config, state = built().config, state_of(fixtures / "yunet" / "yunet_n.pth")
    wanted, tensors = layers(config), {name: tensor.numpy() for name, tensor in state.items()}
    assert len(found) == len(wanted) == 59
    for row, layer in zip(found, wanted, strict=True):
        assert (row.conv, row.kind, row.normalised) == (layer.conv, layer.kind, bool(layer.norm))
        for got, number in zip((row.weight, row.bias), data.folded(layer, tensors), strict=True):
            assert got.shape == number.shape
            np.testing.assert_allclose(got, number, rtol=5.01e-3, atol=0)
    text = (made / folder.DATA).read_text()
    assert re.findall(r"^float (\w+)_weight", text, re.MULTILINE) == [layer.name for layer in wanted]
    assert max(len(digits.strip("0.-")) for digits in re.findall(r"[-0-9.]+(?=[ef])", text)) <= 4


@pytest.mark.parametrize(
    "arguments",
    [{}, WIDE, {"shared": 2, "stacked": 1}, {"shared": 0, "stacked": 2, "stem": 10, "features": 20}, {"taps": [4, 5]}],
)
def test_the_rows_are_the_networks_own_convolutions(arguments: dict[str, Any]) -> None:
    made = built(arguments)
    found, places = layers(made.config), rows(made.config)
    convolutions = {name: module for name, module in made.named_modules() if isinstance(module, torch.nn.Conv2d)}
    assert sorted(layer.conv for layer in found) == sorted(convolutions)
    for layer in found:
        weight = convolutions[layer.conv].weight
        assert (layer.outputs, layer.inputs if layer.kind != "depthwise" else 1) == tuple(weight.shape[:2])
        assert conv_of(layer.name, layer.kind) == layer.conv
    assert found[places.neck].conv == "neck.lateral_convs.0.conv1"
    for name, first in (("cls", places.classes), ("bbox", places.boxes), ("obj", places.objects)):
        assert found[first].conv == f"bbox_head.multi_level_{name}.0.conv1"
    assert found[places.points].conv == "bbox_head.multi_level_kps.0.conv1"
    assert places.points + 2 * len(made.config.taps) == len(found)


def test_it_is_recognised_run_and_turned_back(made: Path, fixtures: Path, tmp_path: Path) -> None:
    assert identify(made).card.id == "yunet_n"
    photo = fixtures / "images" / "insightface_t1.jpg"
    wanted = zoo.load(fixtures / "yunet" / "yunet_n_dynamic.onnx", card="yunet_n")(photo)
    got = zoo.load(made)(photo)
    assert len(got) == len(wanted) == 6
    assert np.abs(got.boxes - wanted.boxes).max() < 1
    back = convert(make_plan(made, tmp_path / "back.pth", {"photo": "none"}))
    assert back.target.card.precision == "float32"
    state = state_of(tmp_path / "back.pth")
    assert all(
        torch.equal(torch.from_numpy(row.bias), state[f"{row.conv}.bias"]) for row in data.load(made / folder.DATA)
    )


def test_a_library_checkout_is_known_by_its_data_file_and_never_replaced(fixtures: Path, tmp_path: Path) -> None:
    source = fixtures / "yunet" / "yunet_s.pth"
    ported(source, tmp_path / "src")
    checkout = tmp_path / "src"
    (checkout / folder.MODEL).unlink()
    (checkout / "facedetectcnn.h").write_text("the library's own")
    assert identify(checkout / folder.DATA).card.id == "yunet_s"
    with pytest.raises(UsageError, match="is a folder, which a conversion does not replace"):
        ported(source, checkout, overwrite=True)
    assert (checkout / "facedetectcnn.h").read_text() == "the library's own"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("param_pConvInfo[59]", "param_pConvInfo[60]", "cut off, damaged or no data file"),
        ("\t{32, 16, false", "\t{33, 16, false", ""),
        (
            "backbone__model3_dp1_pw_bias[64] = {",
            "backbone__model3_dp1_pw_bias[64] = {system(1),",
            "is not what its row",
        ),
        ("backbone__model3_dp1_pw_bias[64] = {", "backbone__model3_dp1_pw_bias[64] = {1e+99f,", "is not what its row"),
        ("float backbone__model0_pw_bias", "float backbone__model0_pw_other", "backbone__model0_pw_bias' is missing"),
    ],
)
def test_a_damaged_data_file_is_refused(made: Path, old: str, new: str, said: str) -> None:
    path = made / folder.DATA
    path.write_text(path.read_text().replace(old, new, 1))
    if said:
        with pytest.raises(ModelError, match=re.escape(said)):
            zoo.load(made)
    else:  # the stem's 32 numbers are a vector of the library's, whatever is written
        assert data.load(path)[0].weight.shape == (16, 3, 3, 3)


def test_a_cut_off_data_file_is_refused(made: Path) -> None:
    path = made / folder.DATA
    whole = path.read_bytes()
    for size in (0, 1, 100, 200_000, len(whole) - 4000, len(whole) - 100):
        path.write_bytes(whole[:size])
        with pytest.raises(ModelError):
            data.load(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / folder.DATA
    os.mkfifo(path)
    assert folder.sniff(path)[0] == folder.sniff(tmp_path)[0] == 0
    with pytest.raises(ModelError, match="is no file"):
        data.load(path)


def test_a_damaged_card_is_refused(made: Path) -> None:
    for text in ("", "[]", '{"format": "cpp", "card": {}}', "[" * 100_000):
        (made / folder.MODEL).write_text(text)
        with pytest.raises(ModelError):
            identify(made)


def test_weights_that_are_no_numbers_are_refused(fixtures: Path, tmp_path: Path) -> None:
    state = state_of(fixtures / "yunet" / "yunet_n.pth")
    state["bbox_head.multi_level_cls.0.conv1.weight"][0, 3] = float("nan")
    torch.save(state, tmp_path / "nan.pth")
    with pytest.raises(ModelError, match=r"multi_level_cls\.0\.conv1 has weights that are no numbers"):
        ported(tmp_path / "nan.pth", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_id_cannot_write_code() -> None:
    from zoo_libfacedetection.network import readme, source

    hostile = "x\n#include </etc/passwd>\n*/ ??/"
    for text in (source(built().config, hostile), readme(built().config, hostile)):
        assert "x__include___etc_passwd_" in text
        assert "passwd>" not in text


# Compiled with the library itself.

MAIN = """
#include "facedetectcnn.h"
#include <cstdio>
#include <cstdlib>
int main(int, char** words) {
    int width = atoi(words[2]), height = atoi(words[3]);
    std::vector<unsigned char> image(3ul * width * height), result(FACEDETECTION_RESULT_BUFFER_SIZE);
    FILE* file = fopen(words[1], "rb");
    if (!file || fread(image.data(), 1, image.size(), file) != image.size()) return 2;
    int* count = facedetect_cnn(result.data(), image.data(), width, height, width * 3);
    if (facedetect_cnn(nullptr, image.data(), width, height, width * 3) || !count) return 3;
    if (facedetect_cnn(result.data(), image.data(), width, height, width)) return 4;
    for (int face = 0; face < *count; ++face) {
        for (int index = 0; index < 15; ++index) printf("%d ", reinterpret_cast<short*>(count + 1)[16 * face + index]);
        puts("");
    }
}
"""
PLAIN, AVX2 = ["-O3"], ["-O3", "-mavx2", "-mfma", "-D_ENABLE_AVX2"]


@pytest.fixture
def library() -> Path:
    """The sources of a checkout of libfacedetection."""
    named = os.environ.get("ZOO_LIBFACEDETECTION", "")
    if not named:
        pytest.skip("the library is not at hand: set ZOO_LIBFACEDETECTION to a checkout of ShiqiYu/libfacedetection")
    assert (Path(named) / "src" / "facedetectcnn.cpp").is_file()
    return Path(named) / "src"


def compiled(sources: list[Path], library: Path, flags: list[str], where: Path) -> Path:
    (where / "facedetection_export.h").write_text("#define FACEDETECTION_EXPORT\n")
    (where / "main.cpp").write_text(MAIN)
    compiler = shutil.which("g++") or pytest.skip("there is no g++")
    words = [compiler, *flags, f"-I{where}", f"-I{library}", "-o", str(where / "detect"), str(where / "main.cpp")]
    done = subprocess.run(
        [*words, *map(str, sources), str(library / "facedetectcnn.cpp")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return where / "detect"


def detected(program: Path, image: Any, where: Path) -> Iterator[list[int]]:
    """Score in hundredths, x, y, width, height and ten numbers of points of each face."""
    image.tofile(where / "photo.bgr")
    words = [str(program), str(where / "photo.bgr"), str(image.shape[1]), str(image.shape[0])]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        yield list(map(int, line.split()))


def widened(fixtures: Path) -> dict[str, Any]:
    """yunet_s's tensors in the network of `WIDE`, which then computes the same: what is wider is zero, units that are
    added give what they are given, and the coarsest level finds nothing."""
    made, small = built(WIDE), state_of(fixtures / "yunet" / "yunet_s.pth")
    state = {name: torch.zeros_like(tensor) for name, tensor in made.state_dict().items()}
    for name, tensor in state.items():
        if name.endswith("running_var") or (".bn" in name and name.endswith("weight")):
            tensor.fill_(1)
        if name in small:
            old = small[name]
            tensor[tuple(slice(0, side) for side in old.shape)] = old
        elif "_convs." in name and "lateral" not in name:
            if name.endswith("conv1.weight"):
                tensor[:, :, 0, 0] = torch.eye(len(tensor))
            elif name.endswith("conv2.weight"):
                tensor[:, :, 1, 1] = 1
    state["bbox_head.multi_level_cls.3.conv2.bias"].fill_(-20)
    load_state(made, state, "the widened network")
    return state


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "flags"),
    [("yunet_s", AVX2), ("yunet_n", AVX2), ("yunet_n", PLAIN), ("wide", AVX2), ("wide", PLAIN)],
    ids=["s-avx2", "n-avx2", "n-plain", "wide-avx2", "wide-plain"],
)
def test_what_is_written_compiles_with_the_library_and_finds_the_faces(
    library: Path, fixtures: Path, tmp_path: Path, model: str, flags: list[str]
) -> None:
    if "avx2" not in Path("/proc/cpuinfo").read_text() and flags is AVX2:
        pytest.skip("this processor has no AVX2")
    source = fixtures / "yunet" / f"{model}.pth"
    out = tmp_path / "out"
    if model == "wide":
        source = tmp_path / "wide.pth"
        torch.save(widened(fixtures), source)
        with_card(source, out)
    else:
        ported(source, out)
    photo = images.read(fixtures / "images" / "insightface_t1.jpg")
    program = compiled([out / folder.DATA, out / folder.NETWORK], library, flags, tmp_path)
    known = "yunet_s" if model == "wide" else model
    wanted = zoo.load(fixtures / "yunet" / f"{known}_dynamic.onnx", card=known)(photo)
    found = [face for face in detected(program, photo, tmp_path) if face[0] >= 60]
    assert len(found) == len(wanted) == 6
    for face in found:
        box = np.array([face[1], face[2], face[1] + face[3], face[2] + face[4]])
        nearest = np.abs(wanted.boxes - box).max(axis=1).argmin()
        assert np.abs(wanted.boxes[nearest] - box).max() < 2.5
        assert np.abs(wanted.keypoints[nearest].ravel() - face[5:]).max() < 2.5
        assert abs(wanted.scores[nearest] * 100 - face[0]) < 2


def with_card(source: Path, out: Path) -> None:
    """Write the folder of the network `WIDE`, which no card describes, as the edge does."""
    from zoo_libfacedetection.edges import to_libfacedetection

    from zoo.models.edges import Edge

    card = replace(catalogue().cards["yunet_n"], network=WIDE)
    to_libfacedetection(Edge(source, out, card, out.parent, (128, 128)))


@pytest.mark.slow
def test_data_of_another_network_is_said_and_not_read(library: Path, fixtures: Path, tmp_path: Path) -> None:
    for name in ("yunet_n", "yunet_s"):
        ported(fixtures / "yunet" / f"{name}.pth", tmp_path / name)
    sources = [tmp_path / "yunet_s" / folder.DATA, tmp_path / "yunet_n" / folder.NETWORK]
    program = compiled(sources, library, PLAIN, tmp_path)
    np.zeros((32, 32, 3), np.uint8).tofile(tmp_path / "photo.bgr")
    done = subprocess.run([program, tmp_path / "photo.bgr", "32", "32"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "is of another network than facedetectcnn-model.cpp (row 5)" in done.stderr


def test_the_card_lies_beside_and_is_rewritten(made: Path) -> None:
    before = (made / folder.DATA).read_bytes()
    card = json.loads(folder.read_card(made))
    folder.write_card(made, json.dumps({**card, "summary": "Another."}))
    assert json.loads(folder.read_card(made))["summary"] == "Another."
    assert (made / folder.DATA).read_bytes() == before
