"""The floors of the house: a module imports only from floors below its own, and the core knows no plugin."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

FLOORS = [
    {"__init__", "errors", "specs", "types"},
    {
        "hookspecs",
        "requests",
        "files",
        "geometry",
        "images",
        "drawing",
        "charts",
        "plainyaml",
        "names",
        "alignment",
        "safepickle",
    },
    {"options"},
    {"catalogue", "registry", "receipts"},
    {"discovery", "weights"},
    {"plugins"},
    {"runtimes", "datasets", "networks"},
    {"inference", "conversion"},
    {"models", "evaluation"},
    {"training"},
    {"tasks"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Each import of `path`, inside functions too but not those for type checkers: its line and the module it names."""
    tree = ast.parse(path.read_text("utf-8"))
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    typing_only = {id(node) for block in blocks for node in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"zoo.{alias.name}" for alias in node.names] if node.module == "zoo" else [node.module]
            yield from ((node.lineno, name) for name in names)
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)


def parts(package: str) -> list[Path]:
    folder = ROOT / package
    if not folder.is_dir():
        pytest.skip("the source tree is not beside the tests")
    return sorted(folder.rglob("*.py"))


def test_the_core_imports_only_downwards() -> None:
    breaches = []
    for path in parts("zoo"):
        own = path.relative_to(ROOT / "zoo").parts[0].removesuffix(".py")
        for line, module in imports(path):
            other = module.split(".")[1] if module.startswith("zoo.") else ""
            if other not in LEVEL or other == own:
                continue
            across = LEVEL[other] == LEVEL[own] and LEVEL[own] > 1
            if LEVEL[other] > LEVEL[own] or across:
                breaches.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert breaches == []


def test_every_module_of_the_core_has_its_floor() -> None:
    assert {path.relative_to(ROOT / "zoo").parts[0].removesuffix(".py") for path in parts("zoo")} <= set(LEVEL)


def test_the_core_knows_no_plugin_and_plugins_know_not_each_other() -> None:
    packages = {
        path.name for folder in ("plugins", "converters") for path in (ROOT / folder).iterdir() if path.is_dir()
    }
    for path in [*parts("zoo"), *parts("plugins"), *parts("converters")]:
        own = next((part for part in path.parts if part in packages), "")
        for line, module in imports(path):
            root = module.partition(".")[0]
            assert root not in packages or root == own, f"{path}:{line} imports {module}"


def test_functions_and_files_can_be_read_at_one_sitting() -> None:
    for path in [*parts("zoo"), *parts("plugins"), *parts("converters")]:
        source = path.read_text("utf-8")
        assert source.count("\n") <= 500, path
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno <= 60, f"{path}:{node.lineno} {node.name}"
