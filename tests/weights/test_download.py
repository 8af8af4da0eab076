from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.weights import weight_server
from tests.weights.weight_server import ORIGIN, fetch_together, weight_file
from zoo.errors import WeightsError, ZooError
from zoo.weights import download
from zoo.weights.parts import Part, dead_parts

CONTENT = random.Random(1).randbytes(400_000)
NAME = "net.onnx"
PATH = f"/{ORIGIN}/{NAME}"


def left_over(store) -> list[str]:
    folder = store.cache.folder
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name != "hashes.json")


def test_a_file_is_fetched_once(site, store):
    file = site.host(NAME, CONTENT)
    first = store().path(file)
    assert first.read_bytes() == CONTENT
    assert store().path(file) == first
    assert site.asked(PATH) == [""]
    assert left_over(store()) == [NAME]


def test_the_mirror_goes_before_the_origin_and_a_failing_one_is_told(site, store):
    file = site.host(NAME, CONTENT)
    site.files.clear()
    with pytest.raises(WeightsError) as caught:
        store().path(file, "net")
    message = str(caught.value)
    assert f"{site.address}{PATH}: the server answers 404" in message
    assert f"https://{ORIGIN}/{NAME}: it cannot be reached" in message
    assert "zoo weights add FILE" in message


def test_wrong_bytes_are_refused_with_both_hashes_and_leave_nothing(site, store):
    file = site.host(NAME, CONTENT)
    wrong = site.files[PATH] = CONTENT[::-1]
    with pytest.raises(WeightsError) as caught:
        store().path(file)
    assert file.sha256 in str(caught.value)
    assert hashlib.sha256(wrong).hexdigest() in str(caught.value)
    assert len(site.asked(PATH)) == 1
    assert left_over(store()) == []


def test_after_a_wrong_source_the_next_is_tried(site, store):
    file = site.host(NAME, CONTENT, f"https://{ORIGIN}/wrong", f"https://{ORIGIN}/{NAME}")
    site.files[f"/{ORIGIN}/wrong"] = CONTENT[::-1]
    assert store().path(file).read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x"], ids=["short", "long"])
def test_a_size_that_the_card_contradicts_ends_the_transfer(site, store, content):
    file = site.host(NAME, CONTENT)
    site.files[PATH] = content
    with pytest.raises(WeightsError, match=f"it is {len(content)} bytes, expected {len(CONTENT)}"):
        store().path(file)
    assert len(site.asked(PATH)) == 1


def test_an_endless_answer_is_cut_off(site, store):
    file = site.host(NAME, CONTENT)
    site.files[PATH], site.lengths = CONTENT * 20, False
    with pytest.raises(WeightsError, match=r"and more, expected 400000"):
        store().path(file)
    assert left_over(store()) == []


def test_a_broken_connection_is_continued(site, store):
    file = site.host(NAME, CONTENT)
    site.cuts[PATH] = [100_000, 50_000]
    assert store().path(file).read_bytes() == CONTENT
    assert site.asked(PATH) == ["", "bytes=100000-", "bytes=150000-"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_of_the_server_is_tried_again(site, store, status):
    file = site.host(NAME, CONTENT)
    site.statuses[PATH] = [status, status]
    assert store().path(file).read_bytes() == CONTENT


def test_it_gives_up_and_keeps_what_it_has_for_the_next_time(site, store):
    file = site.host(NAME, CONTENT)
    site.cuts[PATH] = [30_000] * 4
    with pytest.raises(WeightsError, match=r"ended after 120000 of 400000 bytes .tried 4 times"):
        store().path(file)
    assert store().find(file) is None
    assert store().path(file).read_bytes() == CONTENT
    assert site.asked(PATH)[-1] == "bytes=120000-"


@pytest.mark.parametrize(("ranges", "then"), [("ignored", []), ("wrong", [""])])
def test_a_server_that_cannot_continue_starts_over(site, store, ranges, then):
    file = site.host(NAME, CONTENT)
    site.cuts[PATH], site.ranges = [100_000], ranges
    assert store().path(file).read_bytes() == CONTENT
    assert site.asked(PATH) == ["", "bytes=100000-", *then]


def abandon(store, key: str, content: bytes) -> Path:
    """Leave a part as a process does that died."""
    part = Part.create(store.cache.parts, key)
    part.write(content)
    part.close()
    return part.path


def test_a_spoilt_part_is_begun_anew_once(site, store):
    file = site.host(NAME, CONTENT)
    abandon(store(), file.sha256, b"x" * 100_000)
    assert store().path(file).read_bytes() == CONTENT
    assert site.asked(PATH) == ["bytes=100000-", ""]


def test_a_part_longer_than_the_file_is_begun_anew(site, store):
    file = site.host(NAME, CONTENT)
    abandon(store(), file.sha256, b"x" * 500_000)
    assert store().path(file).read_bytes() == CONTENT


def test_a_part_that_was_complete_needs_no_request(site, store):
    file = site.host(NAME, CONTENT)
    abandon(store(), file.sha256, CONTENT)
    assert store().path(file).read_bytes() == CONTENT
    assert site.requests == []


def test_the_part_of_a_living_process_is_left_alone(site, store):
    file = site.host(NAME, CONTENT)
    with Part.create(store().cache.parts, file.sha256) as alive:
        alive.write(CONTENT[:1000])
        assert store().path(file).read_bytes() == CONTENT
        assert alive.path.read_bytes() == CONTENT[:1000]
        assert list(dead_parts(store().cache.parts)) == []
    assert site.asked(PATH) == [""]


@pytest.mark.parametrize("target", ["http://192.0.2.1/net.onnx", "file:///etc/passwd", "ftp://192.0.2.1/net.onnx"])
def test_a_redirect_away_from_https_is_refused(site, store, target):
    file = site.host(NAME, CONTENT)
    site.redirects[PATH] = target
    with pytest.raises(WeightsError, match=f"{target}.*(only https addresses are used|not allowed)"):
        store().path(file)


def test_a_redirect_is_followed_with_the_range(site, store):
    file = site.host(NAME, CONTENT)
    site.files["/moved"] = site.files.pop(PATH)
    site.redirects[PATH], site.cuts["/moved"] = "/moved", [100_000]
    assert store().path(file).read_bytes() == CONTENT
    assert site.asked("/moved") == ["", "bytes=100000-"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/net.onnx", "ftp://127.0.0.1/net.onnx", "https:///net.onnx"])
def test_a_card_cannot_name_anything_but_https(site, store, url):
    with pytest.raises(WeightsError, match=r"only https|it is no source"):
        store().path(weight_file(NAME, CONTENT, url))
    assert site.requests == []


def test_a_mirror_can_be_a_folder(tmp_path, store):
    copy = tmp_path / "127.0.0.1:9" / NAME
    copy.parent.mkdir()
    copy.write_bytes(CONTENT)
    file = weight_file(NAME, CONTENT, f"https://{ORIGIN}/{NAME}")
    assert store(mirror=tmp_path.as_uri(), offline=True).path(file).read_bytes() == CONTENT


def test_a_silent_server_is_not_waited_for_long(site, store, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.1)
    monkeypatch.setattr(download, "PAUSES", ())
    file = site.host(NAME, CONTENT)
    site.pause = 1.0
    with pytest.raises(WeightsError, match=r"no answer within 0.1 seconds"):
        store().path(file)


def test_no_room_on_the_disk_is_one_sentence_before_any_request(site, store):
    file = site.host(NAME, CONTENT)
    huge = type(file)(NAME, "onnx", file.sha256, 10**18, file.sources)
    with pytest.raises(ZooError, match=r"No room in .*: 1,000,000,000,000.0 MB are needed"):
        store().path(huge)
    assert site.requests == []


def test_an_unwritable_cache_is_one_sentence(site, store, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ZooError, match=r"Cannot write .*set ZOO_CACHE to another folder"):
        store().path(site.host(NAME, CONTENT))


def test_two_processes_at_once_get_the_same_file(site, store):
    file = site.host(NAME, CONTENT)
    site.pause = 0.02
    spawn = multiprocessing.get_context("spawn")
    together, answers = spawn.Barrier(2), spawn.Queue()
    processes = [spawn.Process(target=fetch_together, args=(together, answers, site.address, file)) for _ in range(2)]
    for process in processes:
        process.start()
    paths = [answers.get(timeout=30) for _ in processes]
    for process in processes:
        process.join()
    assert site.asked(PATH) == ["", ""]
    assert paths[0] == paths[1]
    assert Path(paths[0]).read_bytes() == CONTENT
    assert left_over(store()) == [NAME]
    assert store().verify().problems == ()


def test_what_a_killed_process_has_left_is_continued_and_never_used(site, store):
    file = site.host(NAME, CONTENT)
    site.pause = 0.05
    code = f"from tests.weights.weight_server import *; fetch_in_process({site.address!r}, {file!r})"
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    assert weight_server.__file__
    parts = store().cache.parts
    deadline = time.monotonic() + 20
    while sum(path.stat().st_size for path in parts.glob("*.part")) < 100_000 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    assert process.wait() != 0
    (part,) = parts.glob("*.part")
    held = part.stat().st_size
    assert 100_000 <= held < len(CONTENT)
    assert store().find(file) is None
    site.pause = 0.0
    assert store().path(file).read_bytes() == CONTENT
    assert site.asked(PATH) == ["", f"bytes={held}-"]
    assert left_over(store()) == [NAME]
