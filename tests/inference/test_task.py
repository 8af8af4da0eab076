"""The infer task from inputs to results, on files made here, with a detector that needs no weights."""

from __future__ import annotations

import _thread
import dataclasses
import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.attacks.test_images import png_bomb
from tests.inference.colours import RedDetector, picture, save
from tests.inference.test_video import cut, film
from zoo import specs
from zoo.errors import InputError, ModelError, UsageError, ZooError
from zoo.inference import task
from zoo.inference.options import InferOptions
from zoo.requests import TaskRequest, TaskResult
from zoo.types import Faces, Image

NO = specs.Licence("none", "yes")
CARD = specs.ModelCard("red", "red", "red", "Red rectangles.", specs.Preprocess(), specs.Licences(NO, NO, NO))
METHOD = specs.MethodSpec("red", "detector", "Red rectangles.", "tests.inference.colours:RedDetector", "red")


class Run:
    """One run of the task with what it emitted and how it loaded its model."""

    def __init__(self, *inputs: str | Path, out: Path | None = None, model: Any = None, **options: Any) -> None:
        self.records: list[dict[str, Any]] = []
        self.threads: list[int] = []
        self.model = model or RedDetector()
        settings = {"threads": options.pop("threads", 4)}
        chosen = InferOptions(**options)
        texts = tuple(map(str, inputs))
        self.request = TaskRequest(METHOD, "infer", CARD, self.load, texts, chosen, settings, out)
        self.request = dataclasses.replace(self.request, emit=self.records.append)

    def load(self, threads: int = 0) -> Any:
        self.threads.append(threads)
        return self.model

    def go(self) -> TaskResult:
        return task.infer(self.request)


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "faces.jsonl").read_text("utf-8").splitlines()]


def test_an_image_gives_an_annotated_copy_and_a_record(tmp_path: Path) -> None:
    run = Run(save(tmp_path / "a.png", (8, 8, 24, 24), (30, 8, 50, 40)), out=tmp_path / "out")
    result = run.go()
    assert (result.inputs, result.done, result.exit_code) == (1, 1, 0)
    (record,) = run.records
    assert record["image"] == "a.png" and [face["box"] for face in record["faces"]] == [[8, 8, 24, 24], [30, 8, 50, 40]]
    assert lines(tmp_path / "out") == run.records
    annotated = cv2.imread(str(tmp_path / "out/images/a.png"))
    assert annotated.shape == (48, 64, 3) and (annotated != picture()).any()
    assert result.summary["faces"] == 2 and result.summary["runtime"] == "numpy" and result.summary["device"] == "cpu"
    assert set(result.outputs) == {tmp_path / "out/images", tmp_path / "out/faces.jsonl"}
    assert run.threads == [4]


def test_without_a_folder_nothing_is_written(tmp_path: Path) -> None:
    run = Run(save(tmp_path / "a.png"))
    assert run.go().outputs == () and len(run.records) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def bad_folder(folder: Path) -> Path:
    """Every kind of trouble that a folder of photographs holds."""
    for name in ("01_good.jpg", "02_good.png", "20_good.webp"):
        save(folder / name)
    whole = (folder / "01_good.jpg").read_bytes()
    (folder / "03_truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "04_bomb.png").write_bytes(png_bomb())
    (folder / "05_empty.jpg").touch()
    (folder / "06_text.jpg").write_text("Dear all, no photograph this week.")
    cv2.imwrite(str(folder / "07_pixel.png"), np.zeros((1, 1, 3), np.uint8))
    cv2.imwrite(str(folder / "08_grey.png"), np.full((20, 20), 99, np.uint8))
    cv2.imwrite(str(folder / "09_alpha.png"), np.dstack([picture(), picture()[..., 0]]))
    cv2.imwrite(str(folder / "10_deep.png"), picture(64, 48, (8, 8, 24, 24)).astype(np.uint16) * 257)
    animation = cv2.Animation()
    animation.frames, animation.durations = [picture(), picture()], np.array([50, 50])
    cv2.imwriteanimation(str(folder / "11_moves.gif"), animation)
    return folder


@pytest.mark.parametrize("batch", [1, 4])
def test_a_folder_with_every_kind_of_trouble(tmp_path: Path, batch: int, capfd: pytest.CaptureFixture[str]) -> None:
    run = Run(bad_folder(tmp_path / "in"), out=tmp_path / "out", batch=batch, save=("images", "jsonl", "csv", "coco"))
    result = run.go()
    assert (result.inputs, result.done, result.exit_code) == (12, 8, 3)
    reasons = {Path(skip.where).name: skip.why for skip in result.skipped}
    assert reasons == {
        "03_truncated.jpg": "is a truncated or damaged JPEG file.",
        "04_bomb.png": "has 30000 x 30000 pixels, more than the limit of 100,000,000; set ZOO_MAX_PIXELS to allow it.",
        "05_empty.jpg": "is empty.",
        "06_text.jpg": "is not an image that the zoo can read (PNG, JPEG, GIF, BMP, WebP, TIFF or PNM).",
    }
    assert [record["image"] for record in run.records] == sorted(path.name for path in (tmp_path / "in").iterdir())
    assert [record["image"] for record in run.records if "error" in record] == list(reasons)
    stored = sorted(path.name for path in (tmp_path / "out/images").iterdir())
    assert stored == sorted(
        f"{record['image']}.png" if record["image"].endswith(".gif") else record["image"]
        for record in run.records
        if "faces" in record
    )
    deep = next(record for record in run.records if record["image"] == "10_deep.png")
    assert deep["faces"][0]["box"] == [8, 8, 24, 24]
    assert capfd.readouterr().err == ""


def test_when_nothing_can_be_used_the_run_has_failed(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert Run(tmp_path / "a.jpg").go().exit_code == 1


def test_any_number_of_workers_writes_the_same(tmp_path: Path) -> None:
    folder = bad_folder(tmp_path / "in")
    for number in range(40):
        save(folder / f"30_{number:02d}.jpg", (2, 3, 14 + number, 30))
    written = []
    for workers in (1, 2, 5):
        out = tmp_path / f"out{workers}"
        Run(folder, out=out, workers=workers, threads=workers, save=("images", "jsonl", "csv", "coco", "wider")).go()
        files = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
        written.append(files)
    assert written[0] == written[1] == written[2] and len(written[0]) == 48 * 2 + 4


@pytest.mark.parametrize(
    ("images", "options", "threads"),
    [(1, {}, 4), (2, {}, 2), (9, {}, 1), (9, {"workers": 2}, 2), (9, {"workers": 1}, 4), (4, {"batch": 4}, 4)],
)
def test_threads_are_divided_among_the_workers(tmp_path: Path, images: int, options: dict, threads: int) -> None:
    for number in range(images):
        save(tmp_path / f"{number}.png")
    before = cv2.getNumThreads()
    run = Run(tmp_path, **options)
    run.go()
    assert run.threads == [threads] and cv2.getNumThreads() == before


def test_a_limit_and_batches(tmp_path: Path) -> None:
    for number in range(9):
        save(tmp_path / f"{number}.png")
    model = RedDetector()
    result = Run(tmp_path, model=model, limit=5, batch=3, threads=1).go()
    assert result.inputs == 5 and model.batches == [3, 2]


def test_what_is_wrong_is_said_before_the_model_is_loaded(tmp_path: Path) -> None:
    save(tmp_path / "in/a.png")
    (tmp_path / "empty").mkdir()
    for error, run in (
        (UsageError, Run(tmp_path / "gone.png", out=tmp_path / "out")),
        (InputError, Run(tmp_path / "empty", out=tmp_path / "out")),
        (ZooError, Run(tmp_path / "in", out=tmp_path / "in/a.png/out")),
    ):
        with pytest.raises(error):
            run.go()
        assert run.threads == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "in"]


class Breaking(RedDetector):
    """Fails at the fifth image, with whatever it is told to raise."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def detect(self, pictures: Sequence[Image], known: Sequence[Faces] | None = None) -> list[Faces]:
        if len(self.batches) >= 4:
            raise self.error
        return super().detect(pictures)


@pytest.mark.parametrize("error", [ModelError("The network broke."), RuntimeError("a bug")])
def test_an_error_of_the_model_ends_the_run_and_leaves_no_finished_file(tmp_path: Path, error: Exception) -> None:
    for number in range(30):
        save(tmp_path / f"in/{number:02d}.png")
    with pytest.raises(type(error)):
        Run(tmp_path / "in", out=tmp_path / "out", model=Breaking(error)).go()
    left = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert all(path.parent.name == "images" and cv2.imread(str(path)) is not None for path in left)


class Slow(RedDetector):
    """Takes its time, and after some images somebody presses Ctrl-C."""

    def detect(self, pictures: Sequence[Image], known: Sequence[Faces] | None = None) -> list[Faces]:
        time.sleep(0.02)
        if len(self.batches) == 6:
            _thread.interrupt_main()
        return super().detect(pictures)


def test_ctrl_c_stops_promptly(tmp_path: Path) -> None:
    for number in range(300):
        save(tmp_path / f"in/{number:03d}.png")
    started, model, running = time.perf_counter(), Slow(), threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        Run(tmp_path / "in", out=tmp_path / "out", model=model, save=("jsonl",), threads=2).go()
    assert time.perf_counter() - started < 2 and len(model.batches) < 40
    assert not (tmp_path / "out").exists() and threading.active_count() == running


def test_a_video_keeps_its_rate_and_every_frame_has_its_record(tmp_path: Path) -> None:
    run = Run(film(tmp_path / "film.mp4", 24, 12.0), out=tmp_path / "out")
    assert run.go().done == 24
    assert [(record["image"], record["frame"]) for record in run.records] == [("film.mp4", n) for n in range(24)]
    assert run.records[12]["seconds"] == pytest.approx(1.0, abs=0.01)
    written = cv2.VideoCapture(str(tmp_path / "out/images/film.mp4"))
    assert (written.get(cv2.CAP_PROP_FPS), written.get(cv2.CAP_PROP_FRAME_COUNT)) == (12, 24)


def test_a_video_with_a_broken_tail_gives_what_it_has(tmp_path: Path) -> None:
    run = Run(cut(film(tmp_path / "film.avi", 60), 0.5), out=tmp_path / "out")
    result = run.go()
    assert result.exit_code == 3 and 20 < result.done < 40 and len(result.skipped) == 1
    assert result.skipped[0].why == f"breaks off after frame {result.done} of 60."
    written = cv2.VideoCapture(str(tmp_path / "out/images/cut.avi"))
    assert written.get(cv2.CAP_PROP_FRAME_COUNT) == result.done


def test_images_and_videos_together_come_in_order(tmp_path: Path) -> None:
    inputs = [save(tmp_path / "b.png"), film(tmp_path / "film.mp4", 5), save(tmp_path / "a.png"), tmp_path / "film.mp4"]
    run = Run(*inputs, out=tmp_path / "out")
    run.go()
    names = [record["image"] for record in run.records]
    assert names == ["b.png", *["film.mp4"] * 5, "a.png", *["film-2.mp4"] * 5]
    stored = sorted(path.name for path in (tmp_path / "out/images").iterdir())
    assert stored == ["a.png", "b.png", "film-2.mp4", "film.mp4"]


def test_an_image_on_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = save(tmp_path / "a.jpg").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    run = Run("-", out=tmp_path / "out")
    assert run.go().done == 1
    assert (tmp_path / "out/images/stdin.jpg").is_file()


def test_a_second_run_in_the_same_place_gives_the_same(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    for _ in range(2):
        run = Run(tmp_path, out=tmp_path)
        run.go()
        assert [record["image"] for record in run.records] == ["a.png"]


MEMORY = """
import resource, sys
from pathlib import Path
from tests.inference.test_task import Run
run = Run(Path(sys.argv[1]), out=Path(sys.argv[2]), threads=2, save=("jsonl", "csv", "coco"))
run.records = None
import dataclasses
run.request = dataclasses.replace(run.request, emit=lambda record: None)
assert run.go().done == int(sys.argv[3])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    peaks = []
    for count in (100, 4000):
        first = save(tmp_path / f"in{count}/0000.png")
        for number in range(1, count):
            (first.parent / f"{number:04d}.png").hardlink_to(first)
        arguments = [str(first.parent), str(tmp_path / f"out{count}"), str(count)]
        done = subprocess.run([sys.executable, "-c", MEMORY, *arguments], capture_output=True, check=True, text=True)
        peaks.append(int(done.stdout))
    assert peaks[1] < peaks[0] * 1.1
