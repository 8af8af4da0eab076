"""C++ to a library in the cache: compiled once for each source, compiler, set of flags and processor.

The library's name is its own hash, so that one that was damaged is not loaded but compiled again.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import ModelError, RuntimeMissingError
from zoo.files import sha256
from zoo_cpp import private

FLAGS = ("-std=c++17", "-O3", "-fPIC", "-shared", "-fno-exceptions", "-fno-rtti", "-pthread")
"""What every library is compiled with; the processor's own instructions are added, and what ZOO_CXXFLAGS says."""

_NAMES = ("c++", "g++", "clang++")
_SUFFIX = ".dll" if os.name == "nt" else ".so"
_LAST_WORDS = 300


@dataclass(frozen=True)
class Compiler:
    """A compiler that is there: the words that call it, and what it says of itself."""

    command: tuple[str, ...]
    version: str

    @property
    def identity(self) -> str:
        """What tells it from others."""
        return f"{Path(self.command[0]).resolve()} {' '.join(self.command[1:])}\n{self.version}"


def find() -> Compiler:
    """The compiler that the environment variable ``CXX`` names, else the first of c++, g++ and clang++ that is there.

    Raises `RuntimeMissingError` where there is none.
    """
    asked = shlex.split(os.environ.get("CXX", ""))
    for words in [asked] if asked else [[name] for name in _NAMES]:
        if path := shutil.which(words[0]):
            return _asked(path, tuple(words[1:]))
    looked = f"{asked[0]}, which CXX names," if asked else f"{', '.join(_NAMES[:-1])} and {_NAMES[-1]}"
    raise RuntimeMissingError(
        f"There is no C++ compiler: {looked} {'is' if asked else 'are'} not in PATH; install one (Debian, Ubuntu: apt"
        " install g++; macOS: xcode-select --install), or name yours in CXX."
    )


def flags() -> tuple[str, ...]:
    """The flags of every library: `FLAGS`, the processor's own instructions, and those of ``ZOO_CXXFLAGS`` last."""
    arm = platform.machine().lower() in ("arm64", "aarch64")
    return (*FLAGS, "-mcpu=native" if arm else "-march=native", *shlex.split(os.environ.get("ZOO_CXXFLAGS", "")))


def library(sources: Mapping[str, bytes], main: str) -> Path:
    """The library of the file `main` among `sources`, contents by name, compiled where the cache does not hold it.

    Raises `RuntimeMissingError` where there is no compiler, `ModelError` for what does not compile, `ZooError` for a
    cache that others can write.
    """
    compiler, words = find(), flags()

    def compiled(place: Path, work: Path) -> Path:
        for name, data in sources.items():
            (work / name).write_bytes(data)
        made = work / f"made{_SUFFIX}"
        _call([*compiler.command, *words, main, "-o", made.name], work, main)
        made.chmod(0o700)
        return made.replace(place / f"{sha256(made)}{_SUFFIX}")

    return private.kept(_key(sources, main, compiler, words), _intact, compiled)


def _intact(place: Path) -> Path | None:
    """The library in `place` whose content is what its name says."""
    for path in sorted(place.glob(f"*{_SUFFIX}")):
        private.require(path)
        if sha256(path) == path.stem:
            return path
        logging.getLogger("zoo").warning("%s is not what was compiled, and is compiled again.", path)
    return None


def _call(command: list[str], work: Path, main: str) -> None:
    """Run the compiler. Raises `ModelError` with its last words."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, cwd=work, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise RuntimeMissingError(
            f"The C++ compiler {command[0]} cannot be run: {error.strerror or error}; name another in CXX."
        ) from None
    if done.returncode == 0 and (work / command[-1]).is_file():
        return
    if done.returncode < 0:
        raise ModelError(f"{command[0]} was killed by signal {-done.returncode} while it compiled {main}.")
    raise ModelError(f"{command[0]} cannot compile {main}: {_last_words(done.stderr) or 'it wrote no library'}.")


def _last_words(text: str) -> str:
    """The last line that says an error, else the last line."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line.lower()]
    return (errors or lines or [""])[-1][:_LAST_WORDS].rstrip(". ")


def _key(sources: Mapping[str, bytes], main: str, compiler: Compiler, words: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    parts = [main.encode(), compiler.identity.encode(), "\0".join(words).encode(), _processor().encode()]
    for name in sorted(sources):
        parts += [name.encode(), sources[name]]
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:40]


@functools.cache
def _asked(path: str, words: tuple[str, ...]) -> Compiler:
    """The compiler at `path`, after asking it what it is."""
    try:
        done = subprocess.run([path, *words, "--version"], capture_output=True, text=True, errors="replace", timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeMissingError(f"The C++ compiler {path} cannot be run: {error}; name another in CXX.") from None
    if done.returncode:
        said = _last_words(done.stderr or done.stdout)
        raise RuntimeMissingError(f"{path} is no C++ compiler that can be used ({said}); name another in CXX.")
    return Compiler((path, *words), done.stdout)


@functools.cache
def _processor() -> str:
    """What the processor can do, as the system says it: a cache may be shared by several machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    wanted = ("model name", "flags", "Features", "CPU part")
    first = {line.partition(":")[0].strip(): line for line in reversed(lines)}
    return "\n".join([platform.machine(), *(first.get(name, "") for name in wanted)])


def health() -> str:
    """The compiler's first line about itself. Raises as `find`."""
    return next(iter(find().version.splitlines()), "")
