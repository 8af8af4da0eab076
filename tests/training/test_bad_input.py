"""What users give to training by mistake: it is learnt from all the same, or a sentence says what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from tests.training.photographs import PAIR, labelled  # noqa: E402
from tests.training.test_engine import SMALL, tensors, train  # noqa: E402
from zoo.cli.app import run  # noqa: E402
from zoo.datasets.sample import Annotation  # noqa: E402
from zoo.errors import UsageError  # noqa: E402
from zoo.training.augment import Labelled  # noqa: E402
from zoo.training.targets import batch  # noqa: E402


def edited(data: Path, change: Callable[[list[float]], list[float]]) -> Path:
    """The set with the first face changed."""
    lines = data.read_text().splitlines()
    lines[1] = " ".join(f"{number:g}" for number in change([float(word) for word in lines[1].split()]))
    data.write_text("\n".join(lines) + "\n")
    return data


FACES: dict[str, Callable[[list[float]], list[float]]] = {
    "outside the image": lambda face: [face[0] - 1e4, face[1], face[2] - 1e4, face[3], *face[4:]],
    "half outside": lambda face: [-200, -200, 100, 100, *face[4:]],
    "without area": lambda face: [face[0], face[1], face[0], face[3], *face[4:]],
    "turned round": lambda face: [face[2], face[3], face[0], face[1], *face[4:]],
    "keypoints that are no numbers": lambda face: [*face[:4], *[float("nan")] * 15],
    "a box that is no number": lambda face: [float("nan"), *face[1:]],
    "an endless box": lambda face: [*face[:2], float("inf"), *face[3:]],
    "huge": lambda face: [-1e30, -1e30, 1e30, 1e30, *face[4:]],
}


WANTED = {
    "outside the image": (0, 1),
    "half outside": (0, 0),
    "without area": (0, 1),
    "turned round": (0, 1),
    **dict.fromkeys(("keypoints that are no numbers", "a box that is no number", "an endless box", "huge"), (1, 0)),
}
"""How many images are skipped, and how many faces left out."""


@pytest.mark.parametrize("method", ["yunet", "scrfd", "retinaface"])
@pytest.mark.parametrize("what", FACES)
def test_faces_that_are_none_do_no_harm(what: str, method: str, fixtures: Path, tmp_path: Path) -> None:
    """The weights stay numbers, and every image is learnt from or its reason told."""
    data = edited(labelled(tmp_path, fixtures), FACES[what])
    result = train(data, tmp_path / "run", method, epochs=2, batch=2, format="labelv2")
    wanted = WANTED[what]
    assert (len(result.skipped), sum(result.summary["faulty"].values())) == wanted
    assert any("left out 1 face whose box" in line for line in result.summary["told"]) == bool(wanted[1])
    assert result.inputs == result.done + len(result.skipped) == 2
    assert all(tensor.isfinite().all() for tensor in tensors(tmp_path / "run" / "last.pth").values())


def test_faces_of_other_formats_may_be_no_numbers() -> None:
    """What readers let through, boxes and keypoints that are no numbers, reaches no loss."""
    boxes = np.array([[2, 2, 20, 20], [np.nan, 0, 9, 9], [0, 0, np.inf, 9]], np.float32)
    keypoints = np.full((3, 5, 2), np.nan, np.float32)
    faces = Annotation(boxes=boxes, keypoints=keypoints)
    labelled_one = Labelled.of(np.zeros((32, 32, 3), np.uint8), faces)
    assert labelled_one.sound.tolist() == [True, False, False]
    _, targets = batch([labelled_one])
    assert targets.faces.tolist() == [[True, False, False]]
    assert targets.boxes.isfinite().all()
    assert not targets.keypoints.any()


def test_one_cell_cannot_be_normalised(fixtures: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="1 image of 32x32 leaves one cell"):
        train(labelled(tmp_path, fixtures), tmp_path / "run", "scrfd", model="scrfd_500m_bnkps", epochs=1, side=32)


@pytest.mark.parametrize("count", [1, 2])
def test_small_sets_are_learnt_from(count: int, fixtures: Path, tmp_path: Path) -> None:
    """One image, and fewer images than a step wants."""
    data = labelled(tmp_path, fixtures, PAIR[:count])
    result = train(data, tmp_path / "run", epochs=2, batch=16)
    assert (result.inputs, result.done) == (count, count)
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["position"]["step"] == 2


def wrong(tmp_path: Path, fixtures: Path) -> dict[str, tuple[list[str], int, str]]:
    """Options that do not fit, by what is wrong with them: the words, the exit code, and what the sentence says."""
    (tmp_path / "rubbish.pth").write_bytes(b"rubbish")
    whole = (fixtures / "yunet" / "yunet_n.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "options.yaml").write_text("epochs: 1\nepoch: 2\n")
    (tmp_path / "list.yaml").write_text("- 1\n")
    other = fixtures / "scrfd" / "scrfd_500m_bnkps.pth"
    return {
        "unknown field": (["--config", str(tmp_path / "options.yaml")], 2, "'epoch' in .*options.yaml. Did you mean"),
        "no mapping": (["--config", str(tmp_path / "list.yaml")], 2, "must be a mapping"),
        "unknown option": (["epoch=2"], 2, "no option 'epoch'"),
        "wrong value": (["epochs=many"], 2, "epochs takes a whole number"),
        "another network": ([f"init={other}"], 1, "does not fit"),
        "rubbish": ([f"init={tmp_path / 'rubbish.pth'}"], 1, "rubbish.pth"),
        "half a file": ([f"init={tmp_path / 'cut.pth'}"], 1, "cut.pth"),
        "no file": ([f"init={tmp_path / 'none.pth'}"], 2, "no model file"),
        "no validation set": ([f"val={tmp_path / 'nothing'}"], 2, "no file or folder"),
        "no images": ([f"images={tmp_path}"], 1, "no image"),
    }


def test_a_wrong_option_is_a_sentence_and_the_folder_stays_whole(
    fixtures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each ends with its exit code before anything of the run that is there has changed."""
    data, out = labelled(tmp_path / "set", fixtures), tmp_path / "run"
    train(data, out, epochs=1)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    begun = ["run", "yunet", "train", str(data), *(f"{name}={value}" for name, value in SMALL.items())]
    for what, (words, code, sentence) in wrong(tmp_path, fixtures).items():
        for place in ([f"--out={out}", "resume=true"], [f"--out={tmp_path / 'new'}"]):
            assert run([*begun, *place, *words]) == code, what
            told = capsys.readouterr().err.strip()
            assert re.search(sentence, told), (what, told)
            assert sum(not line.startswith("network: ") for line in told.splitlines()) == 1, what
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before, what
        assert not (tmp_path / "new").exists(), what
