"""What the YAML reader takes, and how it refuses the rest: quickly, in one sentence, with the file and the line."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from zoo import plainyaml, registry
from zoo.errors import ZooError


def read(folder: Path, text: str | bytes) -> Any:
    path = folder / "some.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return plainyaml.read(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\na: 2", "line 2: the key 'a' stands twice in one mapping"),
        ("x: {a: 1, a: 2}", "line 1: the key 'a' stands twice in one mapping"),
        ("<<: {a: 1}\n<<: {b: 1}", "line 2: the key '<<' stands twice"),
        ("a: 1\n2: b", "line 2: a key must be text, which '2' is not; quote it"),
        ("? [a]\n: 1", "line 1: a key must be text"),
        ("a: !!str b", "line 1: only plain data may stand here"),
        ("a: !!python/object/apply:os.system [id]", "line 1: only plain data may stand here"),
        ("a: !own {}", "line 1: only plain data may stand here"),
        ("a: *b", r"line 1: the alias \*b names nothing complete before it"),
        ("a: &a [*a]", r"line 1: the alias \*a names nothing complete before it"),
        ("a: &a [1]\nb: [*a, *c]", r"line 2: the alias \*c"),
        ("a: 'b", "this is not YAML that can be read"),
        ("a: 1\n b: 2", "line 2: this is not YAML that can be read"),
        ("--- 1\n--- 2", "this is not YAML that can be read"),
        ("<<: 1", "this is not YAML that can be read"),
        ("a: \x00", "this is not YAML that can be read"),
        (b"a: \xff", r"the file is not UTF-8 text \(byte 3\)"),
        (b"#" * (plainyaml.MAX_BYTES + 1), "at most 1048576 bytes"),
        ("- " * 200_000, "nested deeper than 32 levels"),
        ("[" * 500_000, "nested deeper than 32 levels"),
        ("a: " + "9" * 10_000, "digits"),
    ],
    ids=lambda value: str(value[:24]),
)
def test_refused_in_one_sentence(tmp_path: Path, text: str | bytes, says: str) -> None:
    begin = time.perf_counter()
    with pytest.raises(ZooError, match=says) as raised:
        read(tmp_path, text)
    assert str(raised.value).startswith(f"{tmp_path / 'some.yaml'}: ")
    assert "\n" not in str(raised.value)
    assert time.perf_counter() - begin < 2


@pytest.mark.parametrize("link", ["[{}]", "{{<<: [{}]}}"])
def test_alias_bomb_is_refused_before_it_goes_off(tmp_path: Path, link: str) -> None:
    lines = ["x-0: &a0 {k: v}"]
    lines += [f"x-{n}: &a{n} " + link.format(", ".join([f"*a{n - 1}"] * 10)) for n in range(1, 30)]
    begin = time.perf_counter()
    with pytest.raises(ZooError, match=f"aliases expand to more than {plainyaml.MAX_NODES} values"):
        read(tmp_path, "\n".join(lines))
    assert time.perf_counter() - begin < 1


@pytest.mark.parametrize("place", ["absent.yaml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, place: str) -> None:
    with pytest.raises(ZooError, match="the file cannot be read") as raised:
        plainyaml.read(tmp_path / place)
    assert str(raised.value).startswith(str(tmp_path / place))


def test_scalars_are_what_they_look_like(tmp_path: Path) -> None:
    text = "[yes, off, 2023-03-01, 0x1F, 1:30, 1_000, 012, true, null, ~, 12, -1.5, 1e-3, .5, 5., trueish, '1', .inf]"
    assert read(tmp_path, text) == [
        "yes", "off", "2023-03-01", "0x1F", "1:30", "1_000", "012", True, None, None, 12, -1.5, 0.001, 0.5, 5.0,
        "trueish", "1", ".inf",
    ]  # fmt: skip


def test_merged_keys_may_be_overridden(tmp_path: Path) -> None:
    assert read(tmp_path, "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}")["b"] == {"x": 1, "y": 3}
    assert read(tmp_path, "") is None
    assert read(tmp_path, b"\xef\xbb\xbfa: 1") == {"a": 1}


def test_the_slow_parser_reads_and_refuses_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    fast = plainyaml.read(registry.builtin_path())
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert plainyaml.read(registry.builtin_path()) == fast
    for text in ("[" * 1000, "a: 1\na: 1", "a: !!python/name:os.system", "a: &a [*a]", "a: '"):
        with pytest.raises(ZooError):
            read(tmp_path, text)
