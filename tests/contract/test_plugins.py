"""What any plugin must hold to. Runs on every plugin that is installed, of whomever."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import pytest

from zoo.options import describe, json_schema, make
from zoo.plugins import catalogue, resolve
from zoo.specs import API, from_json, to_json

HEAVY = ("numpy", "cv2", "onnxruntime", "onnx", "torch", "tensorflow", "rich", "yaml", "click")
METHODS = list(catalogue().methods.values())
PLUGINS = list(catalogue().plugins.values())
CARDS = list(catalogue().cards.values())
methods = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
cards = pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)


def imported_by(statement: str) -> set[str]:
    """The heavy packages that a fresh interpreter has imported after `statement`."""
    code = f"import sys; {statement}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1].replace("'", '"')))


def test_there_are_plugins_and_none_is_broken() -> None:
    assert PLUGINS
    assert [problem.sentence for problem in catalogue().problems] == []


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_importing_a_plugin_imports_nothing_heavy(plugin: Any) -> None:
    assert imported_by(f"import {plugin.module}") == set()


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_a_plugin_is_written_for_this_contract(plugin: Any) -> None:
    module = __import__(plugin.module)
    assert getattr(module, "ZOO_API", API) == API


@methods
def test_options_are_light_frozen_and_explained(method: Any) -> None:
    for name in [method.options, *(task.options for task in method.tasks.values() if task.options)]:
        module = name.partition(":")[0]
        cls = resolve(name)
        assert imported_by(f"import {module}") <= {"yaml"}, f"the options of {method.name} import a framework"
        assert dataclasses.is_dataclass(cls)
        assert cls.__dataclass_params__.frozen
        assert all(option.help for option in describe(cls).values())
        assert make(cls, {}) == cls(), "every option has a default"
        json.dumps(json_schema(cls))


@methods
def test_options_of_model_and_tasks_do_not_collide(method: Any) -> None:
    from zoo.tasks import option_classes

    for task in method.tasks.values():
        names = [name for cls in option_classes(method, task) for name in describe(cls)]
        reserved = {"out", "config", "offline", "license_policy", "json", "help", "debug"}
        assert len(names) == len(set(names))
        assert not reserved & set(names)


@methods
def test_what_a_method_names_is_there(method: Any) -> None:
    assert method.summary.endswith(".")
    assert callable(resolve(method.load))
    for name, task in method.tasks.items():
        assert name.isidentifier()
        assert callable(resolve(task.run))
        assert task.summary and task.example, f"{method.name} {name} has no summary or no example for its help"


@methods
def test_a_method_has_a_card_for_its_default_model(method: Any) -> None:
    assert catalogue().cards[method.default].method == method.name
    if method.architectures:
        used = {card.architecture for card in CARDS if card.method == method.name}
        assert used <= set(method.architectures)


@cards
def test_a_card_belongs_to_a_method_and_survives_json(card: Any) -> None:
    assert card.method in catalogue().methods
    assert from_json(type(card), json.loads(json.dumps(to_json(card)))) == card


@cards
def test_a_card_says_what_its_weights_are(card: Any) -> None:
    for file in card.weights:
        assert file.sha256 or not file.sources, "a file that can be fetched has a hash"
        assert file.format in catalogue().formats or file.format == "torch"
    if card.thresholds:
        assert "photo" in card.thresholds


def test_sniffers_are_light() -> None:
    modules = {spec.sniff.partition(":")[0] for spec in catalogue().formats.values() if spec.sniff}
    assert imported_by(f"import {', '.join(sorted(modules))}") == set(), "every conversion imports all of them"


@pytest.mark.parametrize("kind", ["runtimes", "checks", "formats", "converters", "protocols"])
def test_implementations_of_other_contributions_resolve(kind: str) -> None:
    for spec in catalogue().entries(kind).values():
        if any(find_spec(name) is None for name in getattr(spec, "needs", ())):
            continue  # what it is for is not installed, which the command says
        for field in ("open", "run", "sniff", "options"):
            if name := getattr(spec, field, ""):
                assert callable(resolve(name))


@pytest.mark.parametrize("protocol", catalogue().protocols.values(), ids=lambda protocol: protocol.name)
def test_a_protocol_judges_a_set_without_images(protocol: Any) -> None:
    from zoo.evaluation.verdict import Judging, Verdict

    assert protocol.summary.endswith(".")
    assert not protocol.truth or callable(resolve(protocol.truth))
    verdict = resolve(protocol.run)(Judging([], bootstrap=3))
    assert isinstance(verdict, Verdict)
    assert verdict.protocol == protocol.name and verdict.scores
    json.dumps([verdict.to_dict(), verdict.points()], allow_nan=False)
    assert all(isinstance(line, str) for line in verdict.lines())
