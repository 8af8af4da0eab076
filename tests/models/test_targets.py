"""Where a converted model is put: what stands there already, and disks that run full."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conversion.test_disk_full import disk
from zoo.errors import UsageError, ZooError
from zoo.models.convert import Ported, convert
from zoo.models.plan import PortPlan, make_plan


@pytest.fixture
def source(fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ONNX file that no card knows by its hash, where we are."""
    monkeypatch.chdir(tmp_path)
    path = Path("tuned.onnx")
    path.write_bytes((fixtures / "yunet" / "yunet_s_dynamic.onnx").read_bytes() + b"\x3a\x00")
    return path


def planned(source: Path, target: Path, **values: object) -> PortPlan:
    return make_plan(source, target, {"card": "yunet_s", "photo": "none", **values})


def ported(source: Path, target: Path, **values: object) -> Ported:
    return convert(planned(source, target, **values))


@pytest.mark.parametrize("name", ["tuned.onnx", "./tuned.onnx", "linked.onnx", "twin.onnx"])
def test_the_source_is_never_overwritten(source: Path, name: str) -> None:
    Path("linked.onnx").symlink_to(source)
    Path("twin.onnx").hardlink_to(source)
    before = source.read_bytes()
    with pytest.raises(UsageError, match="is the source itself, which is never overwritten"):
        ported(source, Path(name), overwrite=True)
    assert source.read_bytes() == before
    assert not list(Path().glob("*.zoo.json"))


def test_a_folder_of_the_users_is_never_replaced(source: Path) -> None:
    folder = Path("own.onnx")
    folder.mkdir()
    (folder / "precious").write_text("kept")
    with pytest.raises(UsageError, match=r"own\.onnx is a folder, which a conversion does not replace"):
        ported(source, folder, overwrite=True)
    assert (folder / "precious").read_text() == "kept"


def test_a_plan_says_what_stands_in_the_way(source: Path) -> None:
    assert planned(source, Path("own.onnx")).describe()["obstacle"] == ""
    Path("own.onnx").write_text("precious")
    assert "own.onnx exists; choose another name" in planned(source, Path("own.onnx")).describe()["obstacle"]
    assert planned(source, Path("own.onnx"), overwrite=True).describe()["obstacle"] == ""


def test_who_comes_second_does_not_replace_the_first(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one conversion is at work, another writes the same target."""
    from zoo.models import convert as module

    facts = module._facts

    def meanwhile(*arguments: object) -> dict[str, object]:
        Path("own.onnx").write_text("first")
        return facts(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_facts", meanwhile)
    with pytest.raises(UsageError, match=r"own\.onnx exists"):
        ported(source, Path("own.onnx"))
    assert Path("own.onnx").read_text() == "first"
    assert sorted(path.name for path in Path().iterdir()) == ["own.onnx", "tuned.onnx"]


def test_a_full_disk_is_said_of_the_target_and_leaves_nothing(source: Path) -> None:
    """On every size of disk from nothing to enough: the file and its receipt, or neither."""
    wanted = {path.name for path in (ported(source, Path("all", "own.onnx")).target.path.parent).iterdir()}
    assert wanted == {"own.onnx", "own.onnx.zoo.json"}
    sizes, done = range(4, 1024, 60), 0
    for size in sizes:
        with disk(Path("small").absolute(), size):
            try:
                ported(source, Path("small", "own.onnx"))
            except ZooError as error:
                assert str(error).startswith("Cannot write small/own.onnx")
                assert "No space left on device" in str(error)
                assert list(Path("small").iterdir()) == []
            else:
                assert {path.name for path in Path("small").iterdir()} == wanted
                done += 1
    assert 0 < done < len(sizes)


def test_a_place_that_is_none(source: Path) -> None:
    with pytest.raises(ZooError, match=r"Cannot write .*own\.onnx: a part of its path is a file, not a folder"):
        ported(source, source / "own.onnx")


def test_a_photograph_is_read_before_anything_is_converted(source: Path) -> None:
    with pytest.raises(ZooError, match=r"nowhere\.jpg"):
        convert(make_plan(source, Path("own.onnx"), {"card": "yunet_s", "photo": "nowhere.jpg"}))
    assert [path.name for path in Path().iterdir()] == ["tuned.onnx"]


def ended(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """End a process by a signal and return its last words. Modules in C that are being imported swallow what a signal
    raises, about once in thirty times here, so it is sent until it is heard."""
    for _ in range(10):
        process.send_signal(number)
        try:
            return process.communicate(timeout=5)[1]
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    return process.communicate()[1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_one_that_is_told_to_end_leaves_nothing(source: Path, number: signal.Signals, code: int) -> None:
    words = ["card=yunet_s", "photo=none", "samples=100", "size=1280x1280"]
    command = [sys.executable, "-m", "zoo", "convert", str(source), "own.onnx", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not list(Path().glob(".own.onnx.*.part/own.onnx")) and time.monotonic() < until:
        time.sleep(0.02)
    said = ended(process, number)
    assert process.returncode == code, said
    assert [path.name for path in Path().iterdir()] == ["tuned.onnx"]


def test_what_cannot_be_meant(source: Path) -> None:
    with pytest.raises(UsageError, match="There is no model called 'yunet_m'"):
        make_plan(source, Path("own.onnx"), {"card": "yunet_m"})
    with pytest.raises(UsageError, match="traced at one size, not at '640x480,320x320'"):
        planned(source, Path("own.onnx"), size="640x480,320x320")
    with pytest.raises(UsageError, match="traced at one size, not at '640'"):
        planned(source, Path("own.onnx"), size="640")


def test_a_format_that_the_hash_contradicts(fixtures: Path) -> None:
    with pytest.raises(UsageError, match=r"yunet_s\.pth is known by its hash to be a file of torch, not of onnx"):
        make_plan(fixtures / "yunet" / "yunet_s.pth", Path("own.onnx"), {}, "onnx")


def test_ends_of_the_way_are_no_stops_of_it(fixtures: Path) -> None:
    plan = make_plan(fixtures / "yunet" / "yunet_s.pth", Path("own.onnx"), {}, via=("torch", "onnx"))
    assert plan.route.formats == ("torch", "onnx")
