"""Running a folder of C++: compiled when it is run, models of the size that is needed, one for each caller."""

from __future__ import annotations

import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo_cpp.session import CppSession

from tests.converters.zoo_cpp import small
from tests.converters.zoo_cpp.building import compilers
from zoo.errors import ModelError, RuntimeMissingError, UsageError
from zoo.runtimes import choose, open_session


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    compilers()
    monkeypatch.setenv("ZOO_CXXFLAGS", "-O0")


def image(width: int, height: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).uniform(0, 255, (1, 3, height, width)).astype(np.float32)


def run(session: Any, given: Any) -> tuple[Any, Any]:
    picked, said = session.run({"input": given})
    return picked, said


def test_what_the_program_gives_has_names_and_shapes(tmp_path: Path) -> None:
    session = open_session(small.write(tmp_path / "out"), "cpp", threads=3, card=small.CARD)
    assert (session.runtime, session.device) == ("cpp", "cpu")
    assert [(info.name, info.shape) for info in session.inputs] == [("input", (1, 3, None, None))]
    assert [(info.name, info.shape) for info in session.outputs] == [("picked", (1, None, 1)), ("said", (1, None, 2))]
    given = image(12, 8)
    picked, said = run(session, given)
    np.testing.assert_array_equal(picked.reshape(2, 3), given[0, 0, ::4, ::4])
    assert said.shape == (1, 6, 2)
    assert set(said[0, :, 1]) == {3}


def test_arrays_of_any_layout_and_type_are_taken(tmp_path: Path) -> None:
    session = CppSession(small.write(tmp_path / "out"), card=small.CARD)
    given = image(24, 16)[:, :, ::2, ::2]
    np.testing.assert_array_equal(run(session, given)[0].ravel(), given[0, 0, ::4, ::4].ravel())
    doubles = given.astype(np.float64)
    np.testing.assert_array_equal(run(session, doubles)[0].ravel(), given[0, 0, ::4, ::4].ravel())


def test_channels_last(tmp_path: Path) -> None:
    card = replace(small.CARD, preprocess=replace(small.CARD.preprocess, layout="nhwc"))
    session = CppSession(small.write(tmp_path / "out", layout="nhwc", card=card), card=card)
    assert session.inputs[0].shape == (1, None, None, 3)
    given = np.ascontiguousarray(image(8, 12).transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(run(session, given)[0].ravel(), given[0, ::4, ::4, 0].ravel())


def test_one_size_alone_and_a_row_a_face(tmp_path: Path) -> None:
    session = CppSession(small.write(tmp_path / "out", card=small.CROPPED, fixed=(16, 8)), card=small.CROPPED)
    assert session.inputs[0].shape == (1, 3, 8, 16)
    assert [array.shape for array in run(session, image(16, 8))] == [(1, 8), (1, 16)]
    with pytest.raises(ModelError, match="cannot process an input of 1x3x16x8: it takes 1x3x8x16"):
        run(session, image(8, 16))


def test_weights_in_a_file(tmp_path: Path) -> None:
    session = CppSession(small.write(tmp_path / "out", shift=1000, binary=True), card=small.CARD)
    given = image(8, 8)
    np.testing.assert_array_equal(run(session, given)[0].ravel(), given[0, 0, ::4, ::4].ravel() + np.float32(1000))
    (tmp_path / "out" / "small.bin").unlink()
    with pytest.raises(ModelError, match=r"small\.bin cannot be read: No such file"):
        CppSession(tmp_path / "out", card=small.CARD)


def test_models_grow_with_the_images_and_waste_no_memory(tmp_path: Path) -> None:
    session = CppSession(small.write(tmp_path / "out"), card=small.CARD)

    def width_of_the_model(width: int, height: int) -> float:
        return float(run(session, image(width, height))[1][0, 0, 0])

    assert width_of_the_model(40, 40) == 40
    assert width_of_the_model(8, 8) == 40, "the larger one does"
    assert width_of_the_model(32, 60) == 40, "grown in height, and still as wide"
    assert width_of_the_model(400, 4) == 400, "one for both would be fifteen times too large"
    assert width_of_the_model(4, 400) == 4
    assert session._native._library.small_alive() == 1


def test_what_the_program_refuses_is_said(tmp_path: Path) -> None:
    session = CppSession(small.write(tmp_path / "out"), card=small.CARD)
    with pytest.raises(ModelError, match="cannot process an input of 1x3x8x9: its sides are no multiples of 4"):
        run(session, image(9, 8))
    with pytest.raises(ModelError, match=r"it takes 1x3x\?x\?"):
        run(session, np.zeros((2, 3, 8, 8), np.float32))
    with pytest.raises(ModelError, match="cannot process an input of 1x3x4x8000: it is too large"):
        run(session, image(8000, 4))


def test_callers_at_once_have_models_of_their_own(tmp_path: Path) -> None:
    """The program aborts where a model is used by two at a time."""
    sessions = [CppSession(small.write(tmp_path / "out"), card=small.CARD)]
    barrier = threading.Barrier(4)

    def caller(seed: int) -> None:
        barrier.wait()
        for index in range(200):
            given = image(4 * (1 + (seed + index) % 7), 8, seed)
            np.testing.assert_array_equal(run(sessions[0], given)[0].ravel(), given[0, 0, ::4, ::4].ravel())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(caller, range(4)))
    alive = sessions[0]._native._library.small_alive
    assert 1 <= alive() <= 4
    sessions.clear()
    gc.collect()
    assert alive() == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_makes_models_of_its_own(tmp_path: Path) -> None:
    session = CppSession(small.write(tmp_path / "out"), card=small.CARD)
    given = image(8, 8)
    run(session, given)
    child = os.fork()
    if not child:
        run(session, given)
        os._exit(0 if session._native._library.small_alive() == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_looking_at_a_folder_compiles_nothing(tmp_path: Path) -> None:
    from zoo.inference.artifacts import identify
    from zoo.models.facts import facts

    folder = small.write(tmp_path / "out")
    (folder / "small.cpp").write_text("#error compiled\n")
    assert identify(folder).card == small.CARD
    assert [info["name"] for info in facts(folder)["outputs"]] == ["picked", "said"]
    session = CppSession(folder, card=small.CARD)
    with pytest.raises(ModelError, match=r"cannot compile small\.cpp: small\.cpp:1:2: error: #error compiled"):
        run(session, image(8, 8))


def test_no_compiler_and_no_such_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = small.write(tmp_path / "out")
    with pytest.raises(RuntimeMissingError, match="runs on the cpu only"):
        CppSession(folder, device="cuda", card=small.CARD)
    with pytest.raises(UsageError, match="has no device 'tpu'"):
        CppSession(folder, device="tpu", card=small.CARD)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeMissingError, match="There is no C"):
        CppSession(folder, card=small.CARD)


def test_onnx_goes_elsewhere_unless_it_is_asked_for() -> None:
    assert choose("onnx").name != "cpp"
    assert choose("onnx", "cpp").name == choose("cpp").name == "cpp"


def test_a_library_that_lacks_a_function_is_refused(tmp_path: Path) -> None:
    folder = small.write(tmp_path / "out")
    (folder / "small.cpp").write_text('extern "C" int small_sizes() { return 0; }\n')
    with pytest.raises(ModelError, match=r"compiled of small\.cpp cannot be used: .*small_run"):
        run(CppSession(folder, card=small.CARD), image(8, 8))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
@pytest.mark.parametrize("name", ["small.h", "small.cpp", "model.json"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    folder = small.write(tmp_path / "out")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ModelError, match=r"is no file|it holds no model\.json"):
        CppSession(folder, card=small.CARD)
