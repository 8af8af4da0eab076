"""The floors of the house: a module imports only from floors below its own, and the core knows no plugin."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

FLOORS = [
    {"__init__", "errors", "specs", "types"},
    {"hookspecs", "requests", "files", "geometry", "images", "drawing", "plainyaml"},
    {"options"},
    {"plugins", "registry", "receipts"},
    {"discovery", "weights"},
    {"runtimes"},
    {"inference"},
    {"tasks"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
BY_NEED = {("plugins", "discovery"), ("hookspecs", "requests")}
"""Imports inside functions that go up or across on purpose: the catalogue is collected when it is stale."""


def imports(path: Path) -> Iterator[tuple[ast.stmt, str, bool]]:
    """Each import of `path`: the statement, the module it names, and whether it stands at the top of the file."""
    tree = ast.parse(path.read_text("utf-8"))
    lazy = {
        id(node) for function in ast.walk(tree) if isinstance(function, ast.FunctionDef) for node in ast.walk(function)
    }
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"zoo.{alias.name}" for alias in node.names] if node.module == "zoo" else [node.module]
            yield from ((node, name, id(node) not in lazy) for name in names)
        elif isinstance(node, ast.Import):
            yield from ((node, alias.name, id(node) not in lazy) for alias in node.names)


def parts(package: str) -> list[Path]:
    folder = ROOT / package
    if not folder.is_dir():
        pytest.skip("the source tree is not beside the tests")
    return sorted(folder.rglob("*.py"))


def test_the_core_imports_only_downwards() -> None:
    breaches = []
    for path in parts("zoo"):
        own = path.relative_to(ROOT / "zoo").parts[0].removesuffix(".py")
        for node, module, top in imports(path):
            other = module.split(".")[1] if module.startswith("zoo.") else ""
            if other not in LEVEL or other == own:
                continue
            across = LEVEL[other] == LEVEL[own] and LEVEL[own] > 1
            if (LEVEL[other] > LEVEL[own] or across) and (top or (own, other) not in BY_NEED):
                breaches.append(f"{path.relative_to(ROOT)}:{node.lineno} imports {module}")
    assert breaches == []


def test_every_module_of_the_core_has_its_floor() -> None:
    assert {path.relative_to(ROOT / "zoo").parts[0].removesuffix(".py") for path in parts("zoo")} <= set(LEVEL)


def test_the_core_knows_no_plugin_and_plugins_know_not_each_other() -> None:
    packages = {
        path.name for folder in ("plugins", "converters") for path in (ROOT / folder).iterdir() if path.is_dir()
    }
    for path in [*parts("zoo"), *parts("plugins"), *parts("converters")]:
        own = next((part for part in path.parts if part in packages), "")
        for node, module, _ in imports(path):
            root = module.partition(".")[0]
            assert root not in packages or root == own, f"{path}:{node.lineno} imports {module}"


def test_functions_and_files_can_be_read_at_one_sitting() -> None:
    for path in [*parts("zoo"), *parts("plugins"), *parts("converters")]:
        source = path.read_text("utf-8")
        assert source.count("\n") <= 500, path
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno <= 60, f"{path}:{node.lineno} {node.name}"
