"""Weight files made to run code, to eat memory, or merely damaged: a sentence, and nothing else.

The files are made by hand of a zip archive and a pickle, so that these tests need no torch.
"""

from __future__ import annotations

import collections
import contextlib
import io
import os
import pickle
import struct
import subprocess
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from zoo_torch import checkpoint
from zoo_torch.sniff import lightning, safetensors, torch

from tests.converters.driving import mutations
from zoo.errors import ModelError

MARK = Path("/tmp/zoo-checkpoint-must-not-exist")


class Calls:
    """Pickles as a call of `called` with `arguments`."""

    def __init__(self, called: Any, *arguments: Any) -> None:
        self.how = called, arguments

    def __reduce__(self) -> Any:
        return self.how


class Named:
    """Pickles as the global ``module.name``, which need not be there."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Storage:
    """Pickles as what torch writes for a storage: ``("storage", class, key, device, count)``."""

    def __init__(self, count: int, key: str = "0", kind: str = "FloatStorage") -> None:
        self.named = ("storage", Named("torch", kind), key, "cpu", count)


class Tensor:
    """Pickles as a tensor over a storage; calls what it is told to call."""

    def __init__(
        self, storage: Storage, shape: tuple[Any, ...], stride: tuple[Any, ...] | None = None, offset: Any = 0
    ) -> None:
        steps = tuple(4 ** (len(shape) - 1 - axis) for axis in range(len(shape)))
        self.arguments = (storage, offset, shape, steps if stride is None else stride, False, None)


class _Writer(pickle._Pickler):  # type: ignore[name-defined]
    """Python's own pickler with torch's persistent ids, and with globals that need not exist."""

    dispatch = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def persistent_id(self, value: Any) -> Any:
        return value.named if isinstance(value, Storage) else None

    def _named(self, value: Named) -> None:
        self.write(b"c" + f"{value.module}\n{value.name}\n".encode())

    def _tensor(self, value: Tensor) -> None:
        self._named(Named("torch._utils", "_rebuild_tensor_v2"))
        self.save(value.arguments)
        self.write(b"R")

    def _called(self, value: Calls) -> None:
        called, arguments = value.how
        self.save(called)
        self.save(arguments)
        self.write(b"R")

    dispatch[Named], dispatch[Tensor], dispatch[Calls] = _named, _tensor, _called


def pickled(value: Any) -> bytes:
    stream = io.BytesIO()
    _Writer(stream, 2).dump(value)
    return stream.getvalue()


def archive(
    path: Path, value: Any, storages: dict[str, bytes] | None = None, compression: int = zipfile.ZIP_STORED
) -> Path:
    """A file as torch.save writes it since 1.6."""
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("archive/data.pkl", value if isinstance(value, bytes) else pickled(value))
        file.writestr("archive/byteorder", "little")
        for key, data in (storages or {}).items():
            file.writestr(f"archive/data/{key}", data)
        file.writestr("archive/version", "3\n")
    return path


def stream(path: Path, value: Any, storages: dict[str, tuple[int, bytes]] | None = None) -> Path:
    """A file as torch.save wrote it before 1.6."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    parts = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, system)]
    parts += [pickled(value), pickle.dumps(list(storages or {}), 2)]
    parts += [struct.pack("<q", count) + data for count, data in (storages or {}).values()]
    path.write_bytes(b"".join(parts))
    return path


FOUR = struct.pack("<4f", 1, 2, 3, 4)
GOOD = {"weight": Tensor(Storage(4), (1, 4))}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return archive(tmp_path / "good.pth", GOOD, {"0": FOUR})


def test_what_the_tests_write_is_read(good: Path, tmp_path: Path) -> None:
    assert checkpoint.tensors(good) == {"weight": (1, 4)}
    assert checkpoint.tensors(stream(tmp_path / "old.pth", GOOD, {"0": (4, FOUR)})) == {"weight": (1, 4)}


HARMFUL = {
    "posix.system": Calls(os.system, f"touch {MARK}"),
    "builtins.eval": Calls(eval, f"open({str(MARK)!r}, 'w')"),
    "builtins.exec": Calls(exec, "1"),
    "io.open": Calls(open, str(MARK), "w"),
    "subprocess.Popen": Calls(subprocess.Popen, ["touch", str(MARK)]),
    "builtins.__import__": Calls(__import__, "os"),
    "builtins.getattr": Calls(getattr, Calls(__import__, "os"), "system"),
    "operator.attrgetter": Calls(Named("operator", "attrgetter"), "system"),
    "functools.partial": Calls(Named("functools", "partial"), Named("os", "system"), "x"),
    "importlib.import_module": Calls(Named("importlib", "import_module"), "os"),
    "os.system": Named("os", "system"),
    "nt.system": Named("nt", "system"),
    "runpy._run_code": Named("runpy", "_run_code"),
    "torch.storage._load_from_bytes": Calls(Named("torch.storage", "_load_from_bytes"), b"x"),
    "torch.load": Calls(Named("torch", "load"), "/etc/passwd"),
    "torch.serialization.load": Calls(Named("torch.serialization", "load"), "x"),
    "torch.hub.load": Calls(Named("torch.hub", "load"), "somebody/something"),
    "torch.jit._script.script": Calls(Named("torch.jit._script", "script"), 1),
    "torch._utils._rebuild_sparse_tensor": Calls(Named("torch._utils", "_rebuild_sparse_tensor"), 1, ()),
    "torch.utils.data.datapipes.utils.decoder.basichandlers": Calls(
        Named("torch.utils.data.datapipes.utils.decoder", "basichandlers"), "a", "b"
    ),
    "numpy.load": Calls(Named("numpy", "load"), "x"),
    "numpy.testing._private.utils.runstring": Calls(Named("numpy.testing._private.utils", "runstring"), "1", {}),
    "some.module.function": Calls(Named("some.module", "function"), 1),
    "some.module.Class.method": Calls(Calls(getattr, Named("some.module", "Class"), "method"), 1),
}


NAMES_SINCE = {
    "posix.system": "(posix|nt).system",
    "subprocess.Popen": "commands.Popen",
    **{f"builtins.{name}": f"__builtin__.{name}" for name in ("eval", "exec", "__import__")},
    "builtins.getattr": "__builtin__.__import__",
}
"""Protocol 2 writes the names that things had in Python 2; of a chain the innermost call comes first."""


@pytest.mark.parametrize("where", ["state_dict", "optimizer", "callbacks", "hyper_parameters"])
@pytest.mark.parametrize("name", HARMFUL)
def test_what_wants_to_run_code_is_refused_by_name(name: str, where: str, tmp_path: Path) -> None:
    value = {"state_dict": GOOD, "pytorch-lightning_version": "1.5.0", where: {"x": HARMFUL[name]}}
    for path in (archive(tmp_path / "a.pth", value, {"0": FOUR}), stream(tmp_path / "b.pth", value, {"0": (4, FOUR)})):
        for look in (checkpoint.tensors, checkpoint.read):
            with pytest.raises(ModelError, match=NAMES_SINCE.get(name, name).replace(".", r"\.")) as error:
                look(path)
            assert "refused because it could run code" in str(error.value)
    assert not MARK.exists()


def test_dunder_attributes_are_refused(tmp_path: Path) -> None:
    value = {"state_dict": Calls(getattr, Named("some.module", "Class"), "__init__")}
    with pytest.raises(ModelError, match=r"builtins\.getattr, which is refused"):
        checkpoint.tensors(archive(tmp_path / "a.pth", value))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (b"\x80\x02(ios\nsystem\n.", r"makes an object of os\.system"),
        (b"\x80\x02(cos\nsystem\nX\x01\x00\x00\x00xo.", r"asks for os\.system"),
        (b"\x80\x02csome\nthing\n)\x81.", r"calls some\.thing"),
        (b"\x80\x02K\x01)\x81.", "makes an object of int"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02P1\n.", "PERSID"),
        (b"\x80\x02K\x01Q.", "network object"),
        (b"\x80\x02X\x06\x00\x00\x00modulecsome\nNet\n\x86Q.", r"network object of the class some\.Net"),
    ],
)
def test_instructions_that_could_run_code_are_refused(code: bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=told):
        checkpoint.tensors(archive(tmp_path / "a.pth", code))


def test_a_whole_object_in_place_of_a_state_dict_is_refused_by_its_class(tmp_path: Path) -> None:
    value = Calls(Named("some.models", "Net"))
    with pytest.raises(ModelError, match=r"whole object of the class some\.models\.Net.*save its state_dict"):
        checkpoint.read(archive(tmp_path / "a.pth", value))
    with pytest.raises(ModelError, match=r"'weight' is no tensor but some\.models\.Net, which is refused"):
        checkpoint.read(archive(tmp_path / "a.pth", {"weight": value}))


STORAGE = Storage(4)
LIES = {
    "too many numbers": Tensor(STORAGE, (5,), (1,)),
    "offset beyond": Tensor(STORAGE, (4,), (1,), 1),
    "stride beyond": Tensor(STORAGE, (2, 2), (3, 1)),
    "numbers out of nothing": Tensor(STORAGE, (1 << 40, 1 << 40), (0, 0)),
    "shape as text": Tensor(STORAGE, ("4",), (1,)),
    "shape negative": Tensor(STORAGE, (-4,), (1,)),
    "stride negative": Tensor(STORAGE, (4,), (-1,), 3),
    "offset negative": Tensor(STORAGE, (1,), (1,), -1),
    "offset as text": Tensor(STORAGE, (1,), (1,), "0"),
    "shape and stride of other lengths": Tensor(STORAGE, (4,), (1, 1)),
    "too many axes": Tensor(STORAGE, (1,) * 65, (1,) * 65),
    "count negative": Tensor(Storage(-4), (1,), (1,)),
    "count as text": Tensor(Storage("4"), (1,), (1,)),  # type: ignore[arg-type]
    "count beyond the file": Tensor(Storage(1 << 50), (1 << 50,), (1,)),
    "count less than the file": Tensor(Storage(3), (3,), (1,)),
    "two counts": [Tensor(STORAGE, (4,), (1,)), Tensor(Storage(2), (2,), (1,))],
    "key that is not there": Tensor(Storage(4, "1"), (4,), (1,)),
    "key outside": Tensor(Storage(4, "../version"), (4,), (1,)),
    "unknown numbers": Tensor(Storage(4, "0", "QInt8Storage"), (4,), (1,)),
}


@pytest.mark.parametrize("name", LIES)
def test_tensors_that_lie_are_refused(name: str, tmp_path: Path) -> None:
    found = LIES[name] if isinstance(LIES[name], list) else [LIES[name]]
    value = {f"weight{index}": tensor for index, tensor in enumerate(found)}
    tracemalloc.start()
    for path in (archive(tmp_path / "a.pth", value, {"0": FOUR}), stream(tmp_path / "b.pth", value, {"0": (4, FOUR)})):
        with pytest.raises(ModelError, match=r"(a\.pth|b\.pth)"):
            checkpoint.tensors(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def test_a_network_that_shares_few_numbers_a_thousandfold_is_refused(tmp_path: Path) -> None:
    storage = Storage(100_000)
    value = {f"w{index}": Tensor(storage, (100_000,), (1,)) for index in range(100)}
    with pytest.raises(ModelError, match="share the same numbers over and over"):
        checkpoint.tensors(archive(tmp_path / "a.pth", value, {"0": bytes(400_000)}))


def test_paths_and_sizes_that_grow_out_of_little_are_refused(tmp_path: Path) -> None:
    long: Any = Calls(Named("pathlib", "PosixPath"), "x" * 1000)
    with pytest.raises(ModelError, match="has no end"):
        checkpoint.tensors(archive(tmp_path / "a.pth", {"w": Calls(Named("pathlib", "PosixPath"), *[long] * 9)}))
    with pytest.raises(ModelError, match="no short list"):
        checkpoint.tensors(archive(tmp_path / "a.pth", {"w": Calls(Named("torch", "Size"), list(range(1000)))}))


def test_what_is_said_beside_the_tensors_stays_small(tmp_path: Path) -> None:
    nested: Any = ["x"] * 100
    for _ in range(10):
        nested = [nested] * 100
    value = {"state_dict": GOOD, "meta": {"laughs": nested}}
    pytest.importorskip("torch", reason="reading numbers needs torch")
    assert len(str(checkpoint.read(archive(tmp_path / "a.pth", value, {"0": FOUR})).meta)) < 200_000


# Containers.


def test_a_compressed_archive_is_refused_unread(tmp_path: Path) -> None:
    """A hundred megabytes of zeros in a hundred kilobytes."""
    bomb = archive(tmp_path / "a.pth", {"w": Tensor(Storage(1 << 25), (1 << 25,), (1,))}, {"0": bytes(1 << 27)}, 8)
    assert bomb.stat().st_size < 1 << 18
    tracemalloc.start()
    with pytest.raises(ModelError, match=r"compressed, which torch\.save never does"):
        checkpoint.tensors(bomb)
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def test_members_that_lie_over_each_other_are_refused(good: Path) -> None:
    """The directory names the same bytes a thousand times."""
    with zipfile.ZipFile(good, "a") as file:
        info = next(info for info in file.infolist() if info.filename.endswith("/0"))
        for index in range(1000):
            other = zipfile.ZipInfo(f"archive/data/{index + 1}")
            other.header_offset, other.file_size, other.compress_size = info.header_offset, 16, 16
            other.CRC, file._didModify = info.CRC, True  # type: ignore[attr-defined]
            file.filelist.append(other)
    with pytest.raises(ModelError, match="lie over each other"):
        checkpoint.tensors(good)


def test_a_size_beyond_the_file_is_refused(good: Path) -> None:
    data = bytearray(good.read_bytes())
    entry = data.rindex(b"PK\x01\x02", 0, data.rindex(b"archive/data/0"))
    data[entry + 20 : entry + 28] = struct.pack("<II", 1 << 30, 1 << 30)
    good.write_bytes(data)
    with pytest.raises(ModelError, match="not where it should be"):
        checkpoint.tensors(good)


@pytest.mark.parametrize("kind", ["zip", "stream"])
def test_a_file_cut_off_anywhere_is_told(kind: str, tmp_path: Path) -> None:
    whole = archive(tmp_path / "a.pth", GOOD, {"0": FOUR}) if kind == "zip" else None
    whole = whole or stream(tmp_path / "a.pth", GOOD, {"0": (4, FOUR)})
    data, cut = whole.read_bytes(), tmp_path / "cut.pth"
    for size in range(len(data)):
        cut.write_bytes(data[:size])
        with pytest.raises(ModelError, match=r"cut\.pth"):
            checkpoint.tensors(cut)
        for sniff in (torch, lightning, safetensors):
            assert 0 <= sniff(cut)[0] <= 1


def test_a_changed_byte_never_passes_unseen_in_a_zip_archive(good: Path) -> None:
    """Whatever byte of numbers or pickle changes, its check sum tells."""
    pytest.importorskip("torch", reason="reading numbers needs torch")
    data = good.read_bytes()
    starts = [data.index(FOUR), data.index(b"\x80\x02")]
    for position in [start + step for start in starts for step in range(16)]:
        good.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        with pytest.raises(ModelError, match="check sum"):
            checkpoint.read(good)


WHOLE = {
    "state_dict": collections.OrderedDict(
        {f"layer{index}.weight": Tensor(Storage(4), (2, 2), (2, 1)) for index in "ab"}
    ),
    "pytorch-lightning_version": "1.4.9",
    "callbacks": {"path": Calls(Named("pathlib", "PosixPath"), "runs"), "kind": Calls(Named("some.module", "Class"))},
    "hyper_parameters": {
        "backbone": "resnet18",
        "rates": [0.1, 2, None, True],
        "size": Calls(Named("torch", "Size"), (1,)),
    },
}


@pytest.mark.parametrize("kind", ["zip", "stream", "pickle"])
def test_mutilated_files_are_read_or_told(kind: str, tmp_path: Path) -> None:
    """Nothing but a sentence comes out of them; in ``pickle`` the archive around the pickle is sound."""
    path = tmp_path / "a.pth"
    whole = archive(path, WHOLE, {"0": FOUR}).read_bytes() if kind == "zip" else b""
    whole = whole or (pickled(WHOLE) if kind == "pickle" else stream(path, WHOLE, {"0": (4, FOUR)}).read_bytes())
    for data in mutations(whole, 300, seed=len(kind)):
        if kind == "pickle":
            archive(path, data, {"0": FOUR})
        else:
            path.write_bytes(data)
        with contextlib.suppress(ModelError):
            assert checkpoint.tensors(path)
            assert checkpoint.configured(path) is not None


def test_other_archives_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "hello")
    with pytest.raises(ModelError, match=r"zip archive, but none of torch\.save"):
        checkpoint.tensors(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("net/data.pkl", pickled({}))
        file.writestr("net/constants.pkl", pickled(()))
    with pytest.raises(ModelError, match="TorchScript"):
        checkpoint.tensors(path)


def test_a_tar_archive_of_the_oldest_torch_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as file:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            file.addfile(tarfile.TarInfo(name))
    with pytest.raises(ModelError, match=r"before 0\.2"):
        checkpoint.tensors(path)
    assert torch(path)[0] > 0.5


def test_big_endian_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickled(GOOD))
        file.writestr("archive/byteorder", "big")
    with pytest.raises(ModelError, match="big-endian"):
        checkpoint.tensors(path)


def test_text_of_python_2_is_text(tmp_path: Path) -> None:
    code = b"\x80\x02}U\x06weight" + pickled(GOOD["weight"])[2:-1].replace(b"q", b"q") + b"s."
    assert checkpoint.tensors(archive(tmp_path / "a.pth", code, {"0": FOUR})) == {"weight": (1, 4)}


def test_ordered_dictionaries_keep_their_order(tmp_path: Path) -> None:
    value = collections.OrderedDict((name, Tensor(Storage(4), (4,), (1,))) for name in ("z", "a", "m"))
    assert list(checkpoint.tensors(archive(tmp_path / "a.pth", value, {"0": FOUR}))) == ["z", "a", "m"]


# safetensors.


def header(text: str | bytes, data: bytes = b"") -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw + data


SAFE = header('{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}', FOUR)
DAMAGED = {
    "no header": header("{"),
    "a list": header("[1]"),
    "deep": header("{" + '"a":{' * 50_000),
    "size beyond": struct.pack("<Q", 1 << 60) + b"{}",
    "size just beyond": struct.pack("<Q", 99_000_000) + b"{}",
    "tensor as text": header('{"w":"x"}'),
    "not text": header(b'{"\xff":{}}'),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_safetensors_are_told(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(DAMAGED[name])
    with pytest.raises(ModelError, match=r"a\.safetensors"):
        checkpoint.tensors(path)


OUTSIDE = {
    "shape beyond": '{"w":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}}',
    "offsets beyond": '{"w":{"dtype":"F32","shape":[8],"data_offsets":[0,32]}}',
    "offsets backwards": '{"w":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}}',
    "huge": '{"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,16]}}',
    "one over the other": '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},'
    '"b":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}',
    "unknown type": '{"w":{"dtype":"X9","shape":[4],"data_offsets":[0,16]}}',
    "no shape": '{"w":{"dtype":"F32","data_offsets":[0,16]}}',
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_safetensors_that_lie_are_refused(name: str, tmp_path: Path) -> None:
    pytest.importorskip("safetensors.torch", reason="reading numbers needs torch and safetensors")
    path = tmp_path / "a.safetensors"
    path.write_bytes(header(OUTSIDE[name], FOUR))
    with pytest.raises(ModelError, match=r"a\.safetensors is cut off or damaged"):
        checkpoint.read(path)


def test_safetensors_cut_off_anywhere_are_told(tmp_path: Path) -> None:
    pytest.importorskip("safetensors.torch", reason="reading numbers needs torch and safetensors")
    path = tmp_path / "a.safetensors"
    for size in range(len(SAFE)):
        path.write_bytes(SAFE[:size])
        with pytest.raises(ModelError, match=r"a\.safetensors"):
            checkpoint.read(path)
    path.write_bytes(SAFE)
    assert checkpoint.read(path).state["w"].tolist() == [1, 2, 3, 4]


def test_a_card_is_written_into_no_damaged_file(good: Path, tmp_path: Path) -> None:
    old, safe = stream(tmp_path / "old.pth", GOOD, {"0": (4, FOUR)}), tmp_path / "a.safetensors"
    safe.write_bytes(SAFE[:30])
    good.write_bytes(good.read_bytes()[:-1])
    for path in (old, safe, good):
        before = path.read_bytes()
        with pytest.raises(ModelError):
            checkpoint.write_card(path, "{}")
        assert path.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "good.pth", "old.pth"]
