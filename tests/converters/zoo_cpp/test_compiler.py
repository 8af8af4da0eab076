"""Compiling into the cache: once for each source, compiler and set of flags, where nobody else can write."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from zoo_cpp import compiler, private

from tests.converters.zoo_cpp.building import compilers
from zoo.errors import ModelError, RuntimeMissingError, ZooError
from zoo.plugins import catalogue, resolve

SOURCES = {"a.cpp": b'#include "a.h"\nint number() { return VALUE; }\n', "a.h": b'extern "C" int number();\n'}


@pytest.fixture(autouse=True)
def flags(monkeypatch: pytest.MonkeyPatch) -> None:
    compilers()
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("ZOO_CXXFLAGS", "-O0 -DVALUE=7")


def compiled(sources: dict[str, bytes] | None = None) -> Path:
    return compiler.library(sources or SOURCES, "a.cpp")


def number(path: Path) -> int:
    found: int = ctypes.CDLL(str(path)).number()
    return found


def tried(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The calls of a compiler from now on."""
    calls, real = list[list[str]](), compiler._call

    def call(command: list[str], work: Path, main: str) -> None:
        calls.append(command)
        real(command, work, main)

    monkeypatch.setattr(compiler, "_call", call)
    return calls


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_source_is_compiled_once(monkeypatch: pytest.MonkeyPatch, private_cache: Path) -> None:
    calls = tried(monkeypatch)
    path = compiled()
    assert number(path) == 7
    assert compiled() == path
    assert len(calls) == 1
    assert path.is_relative_to(private_cache.resolve() / "cpp")
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_another_source_flag_or_compiler_is_another_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = compiled()
    assert compiled({**SOURCES, "a.h": SOURCES["a.h"] + b"\n"}).parent != first.parent
    monkeypatch.setenv("ZOO_CXXFLAGS", "-O0 -DVALUE=8")
    second = compiled()
    assert (number(first), number(second)) == (7, 8)
    real = compiler.find().command[0]
    wrapped = script(tmp_path / "wrapped", f'exec {real} "$@"')
    monkeypatch.setenv("CXX", f"{wrapped} -DOTHER")
    third = compiled()
    assert third.parent not in (first.parent, second.parent)
    assert number(third) == 8


def test_another_processor_does_not_get_this_ones_library(monkeypatch: pytest.MonkeyPatch) -> None:
    first = compiled()
    monkeypatch.setattr(compiler, "_processor", lambda: "another")
    assert compiled().parent != first.parent


def test_no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    advice = r"c\+\+, g\+\+ and clang\+\+ are not in PATH; .*apt install g\+\+; macOS: xcode-select"
    with pytest.raises(RuntimeMissingError, match=advice):
        compiled()
    monkeypatch.setenv("CXX", "no-such-compiler -x")
    with pytest.raises(RuntimeMissingError, match="no-such-compiler, which CXX names, is not in PATH"):
        compiled()
    health = resolve(catalogue().checks["cpp"].run)()
    assert (health.status, "There is no C++ compiler" in health.detail) == ("warning", True)


def test_the_health_check_compiles_and_calls() -> None:
    health = resolve(catalogue().checks["cpp"].run)()
    assert health.status == "ok"
    assert health.detail == compiler.find().version.splitlines()[0]


def test_what_is_no_compiler_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CXX", str(script(tmp_path / "broken", "echo licence expired >&2; exit 3")))
    with pytest.raises(RuntimeMissingError, match=r"is no C\+\+ compiler that can be used \(licence expired\)"):
        compiled()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo 'a.cpp:3: error: all is lost.' >&2; exit 1", "all is lost"),
        ("echo 'internal error: x' >&2; echo bye >&2; exit 1", "internal error: x"),
        ("exit 0", "it wrote no library"),
        ("kill -9 $$", "was killed by signal 9"),
    ],
)
def test_a_compiler_that_fails_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, private_cache: Path, text: str, said: str
) -> None:
    monkeypatch.setenv("CXX", str(script(tmp_path / "failing", f'[ "$1" = --version ] && exit 0; {text}')))
    with pytest.raises(ModelError, match=said):
        compiled()
    assert not [path for path in (private_cache / "cpp").rglob("*") if path.is_file()]


def test_a_damaged_library_is_compiled_again(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    path = compiled()
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    calls = tried(monkeypatch)
    again = compiled()
    assert len(calls) == 1
    assert number(again) == 7
    assert "is not what was compiled" in caplog.text
    assert list(again.parent.iterdir()) == [again]


posix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has other permissions")


@posix
@pytest.mark.parametrize("mode", [0o770, 0o702])
def test_a_cache_that_others_can_write_is_not_used(private_cache: Path, mode: int) -> None:
    (private_cache / "cpp").mkdir()
    (private_cache / "cpp").chmod(mode)
    with pytest.raises(ZooError, match="cpp can be written by others, so that nothing in it is run: take it away"):
        compiled()
    assert not list((private_cache / "cpp").iterdir())


@posix
def test_a_cache_that_others_can_replace_is_not_used(private_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_to_all = private_cache / "everybodys"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    monkeypatch.setenv("ZOO_CACHE", str(open_to_all / "mine"))
    with pytest.raises(ZooError, match=r"lies in .*everybodys, which others can write"):
        compiled()
    open_to_all.chmod(0o1777)
    assert number(compiled()) == 7


@posix
def test_a_link_in_place_of_the_cache_is_not_followed(private_cache: Path, tmp_path: Path) -> None:
    for number, target in enumerate((tmp_path / "elsewhere", tmp_path / "nowhere")):
        if not number:
            target.mkdir()
        (private_cache / "cpp").symlink_to(target)
        with pytest.raises(ZooError, match="cpp is a link or no ordinary file"):
            compiled()
        (private_cache / "cpp").unlink()
    assert not list((tmp_path / "elsewhere").iterdir())


@posix
def test_a_folder_of_somebody_else_is_not_used(private_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    me = os.geteuid()
    private.folder("x")
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(ZooError, match="cpp belongs to somebody else"):
        private.folder("x")


@posix
def test_a_library_that_others_can_write_is_not_loaded() -> None:
    path = compiled()
    path.chmod(0o722)
    with pytest.raises(ZooError, match="can be written by others"):
        compiled()


def test_a_file_in_place_of_the_cache(private_cache: Path) -> None:
    (private_cache / "cpp").write_text("")
    with pytest.raises(ZooError, match=r"Cannot write .*cpp"):
        compiled()


COMPILING = """
import sys
from zoo_cpp.compiler import library
sources = {"a.cpp": b'extern "C" int number() { return VALUE; }'}
print(library(sources, "a.cpp"), flush=True)
"""


def start(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", COMPILING], env=environment, stdout=subprocess.PIPE, text=True)


def slow_compiler(tmp_path: Path, seconds: float) -> Path:
    """A compiler that writes down when it is called, and takes its time before its result is there."""
    real, log = compiler.find().command[0], tmp_path / "calls"
    return script(
        tmp_path / "slow",
        f'[ "$1" = --version ] && exec {real} --version\necho call >> {log}\n{real} "$@" && sleep {seconds}',
    )


def test_processes_at_once_compile_once(tmp_path: Path, private_cache: Path) -> None:
    environment = {**os.environ, "CXX": str(slow_compiler(tmp_path, 0.5))}
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: start(environment).communicate()[0].strip(), range(4)))
    assert len(set(done)) == 1
    assert number(Path(done[0])) == 7
    assert (tmp_path / "calls").read_text().count("call") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_who_is_killed_leaves_nothing_that_is_used(tmp_path: Path, private_cache: Path) -> None:
    process = start({**os.environ, "CXX": str(slow_compiler(tmp_path, 30))})
    deadline = time.monotonic() + 60
    while not list((private_cache / "cpp").rglob("made*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    environment = {**os.environ, "CXX": str(slow_compiler(tmp_path, 0))}
    done = start(environment).communicate(timeout=60)[0].strip()
    assert number(Path(done)) == 7
    files = [path for path in (private_cache / "cpp").rglob("*") if path.is_file()]
    assert [path.resolve() for path in files] == [Path(done)]
