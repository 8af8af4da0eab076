from __future__ import annotations

import os
from pathlib import Path

import pytest

from zoo.errors import UsageError, WeightsError
from zoo.weights import Settings
from zoo.weights.settings import PYPI, Address, public, refusal


def test_the_environment_is_read_and_flags_go_before_it(monkeypatch):
    assert Settings.from_environment() == Settings()
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.setenv("ZOO_WEIGHTS_PATH", os.pathsep.join(["/a", "", "/b"]))
    monkeypatch.setenv("ZOO_MIRROR", "https://mirror.example/x/")
    monkeypatch.setenv("ZOO_PYPI_INDEX", "https://index.example/simple")
    monkeypatch.setenv("ZOO_LICENSE_POLICY", "commercial")
    settings = Settings.from_environment(offline=None, policy="any")
    assert settings == Settings(
        True, (Path("/a"), Path("/b")), "https://mirror.example/x/", "https://index.example/simple", "any"
    )


@pytest.mark.parametrize(
    ("value", "offline"), [("0", False), ("false", False), ("", False), ("yes", True), ("1", True)]
)
def test_offline_can_be_switched_off(monkeypatch, value, offline):
    monkeypatch.setenv("ZOO_OFFLINE", value)
    assert Settings.from_environment().offline is offline


@pytest.mark.parametrize(
    ("pip", "index"),
    [
        ("https://pip.example/simple", "https://pip.example/simple"),
        ("http://pip.example/simple", PYPI),
        ("https://me:secret@pip.example/simple", PYPI),
    ],
)
def test_the_index_of_pip_is_used_where_it_may_be(monkeypatch, pip, index):
    monkeypatch.setenv("PIP_INDEX_URL", pip)
    assert Settings.from_environment().index == index


@pytest.mark.parametrize("field", ["mirror", "index"])
@pytest.mark.parametrize("value", ["http://mirror.example", "mirror.example", "https://", "ftp://x/", "https://[x/"])
def test_an_address_that_is_not_https_is_a_usage_error(field, value):
    with pytest.raises(UsageError):
        Settings(**{field: value})


def test_a_password_is_neither_sent_nor_shown():
    with pytest.raises(UsageError) as caught:
        Settings(mirror="https://me:secret@mirror.example/x")
    assert "secret" not in str(caught.value)
    assert public("https://me:secret@mirror.example/x@y") == "https://mirror.example/x@y"


def test_an_unknown_policy_gets_a_suggestion():
    with pytest.raises(UsageError, match=r"Did you mean commercial"):
        Settings(policy="comercial")


@pytest.mark.parametrize(
    ("url", "setting", "allowed"),
    [
        ("https://host/x", "", True),
        ("http://host/x", "", False),
        ("http://localhost/x", "", False),
        ("http://localhost/x", "http://127.0.0.1:80/", True),
        ("http://localhost.example/x", "http://127.0.0.1:80/", False),
        ("http://host/x", "http://127.0.0.1:80/", False),
        ("file:///x", "http://127.0.0.1:80/", False),
        ("file:///x", "https://host/", False),
        ("file:///x", "file:///y", True),
        ("https://host/x", "file:///y", True),
        ("data:,x", "data:,x", False),
    ],
)
def test_only_what_the_user_set_may_be_other_than_https(url, setting, allowed):
    assert (refusal(Address(url, setting)) == "") is allowed


def test_the_mirror_is_asked_first():
    settings = Settings(mirror="https://mirror.example/files/")
    assert [each.url for each in settings.addresses("https://github.com/a/b?c=d")] == [
        "https://mirror.example/files/github.com/a/b?c=d",
        "https://github.com/a/b?c=d",
    ]


def test_offline_leaves_only_files():
    local = Settings(offline=True, mirror="file:///mirror", index="file:///simple/")
    assert [each.url for each in local.addresses("https://host/a")] == ["file:///mirror/host/a"]
    assert [each.url for each in local.addresses("file:///simple/x/", "file:///simple/")] == [
        "file:///simple/x/index.html"
    ]
    with pytest.raises(WeightsError, match=r"offline"):
        Settings(offline=True).addresses("https://host/a")
