"""Running a task: from names and texts to a request, through the wrappers, to a result with its receipt."""

from __future__ import annotations

import time
import warnings
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from zoo import receipts
from zoo.catalogue import Catalogue
from zoo.errors import UsageError, suggestion
from zoo.files import sha256
from zoo.inference import loading
from zoo.inference.model import Model
from zoo.options import Option, describe, dotted, make, option, read_config, split
from zoo.plugins import catalogue, resolve
from zoo.requests import Progress, Silent, TaskRequest, TaskResult
from zoo.specs import MethodSpec, TaskSpec
from zoo.weights import WeightStore

UPSTREAM = "upstream"
"""The option of tasks that read configurations of the originals' training."""

Wrapper = Generator[None, TaskResult, TaskResult]


@dataclass(frozen=True)
class ModelChoice:
    """Which model runs, and on what."""

    model: str = option("", "Model id, or path of a model file. Default: the method's own choice.")
    card: str = option("", "Card that describes a model file which no card knows by its hash.")
    weights: str = option("", "File of weights to use instead of the card's.")
    runtime: str = option("", "What executes the model. Default: the best runtime installed.")
    device: str = option("auto", "auto, cpu, cuda, ...; auto takes what the runtime really offers.")
    threads: int = option(0, "Threads to use in all; 0 is one a core.", least=0)


def option_classes(method: MethodSpec, task: TaskSpec) -> tuple[type[Any], ...]:
    """The options dataclasses that together are the options of a method's task: choice of model, model, task."""
    classes = [ModelChoice, resolve(method.options)]
    if task.options:
        classes.append(resolve(task.options))
    return tuple(classes)  # type: ignore[arg-type]


def task_options(method: MethodSpec, task: TaskSpec) -> list[Option]:
    """The options of a method's task, with the task's own defaults."""
    return [
        replace(each, default=each.convert(task.defaults[each.name])) if each.name in task.defaults else each
        for cls in option_classes(method, task)
        for each in describe(cls).values()
    ]


def find_task(method: MethodSpec, name: str) -> TaskSpec:
    """The task of `method` called `name`. Raises `UsageError` with the nearest name."""
    if name in method.tasks:
        return method.tasks[name]
    known = ", ".join(method.tasks)
    raise UsageError(f"{method.name} has no task {name!r}.{suggestion(name, method.tasks)} It has: {known}.")


def request(
    method: str,
    task: str,
    inputs: Sequence[str] = (),
    values: Mapping[str, Any] | None = None,
    config: Path | None = None,
    **more: Any,
) -> TaskRequest:
    """Make the request for a task from option `values` by name (texts or YAML values), which go before those that the
    YAML file `config` sets. A Python file is the value of the option ``upstream``, for tasks that have it.

    `more` are further fields of `TaskRequest` (`out`, `progress`, `emit`). Raises `UsageError` for unknown names and
    unfit values, and for a model of another method.
    """
    spec = catalogue().methods[method]
    found = find_task(spec, task)
    classes = option_classes(spec, found)
    choice_class, model_class, *task_class = classes
    from_file = _configured(config, *classes) if config else {}
    split(from_file, *classes, where=str(config))
    begun = {name: value for name, value in found.defaults.items() if name in describe(model_class)}
    parts = split({**begun, **dotted(from_file), **dotted(values or {})}, *classes)
    choice: ModelChoice = make(choice_class, parts[0])
    settings = asdict(choice) | asdict(make(model_class, parts[1]))
    card = loading.find_card(choice.model or spec.default, choice.card)
    if card.method != spec.name:
        raise UsageError(
            f"{card.id} is a model of {card.method}, not of {spec.name}: zoo run {card.method} {task} --model {card.id}"
        )
    if choice.runtime:
        catalogue().runtimes[choice.runtime]  # raises for a name that does not exist
    load = _Loader(choice, spec, parts[1], more.get("progress") or Silent())
    options = make(task_class[0], parts[2]) if task_class else None
    settings |= asdict(options) if options is not None else {}
    return TaskRequest(spec, task, card, load, tuple(inputs), options, settings, **more)


def _configured(config: Path, *classes: type[Any]) -> dict[str, Any]:
    """The options that the file `config` sets."""
    if config.suffix != ".py":
        return read_config(config)
    if not any(UPSTREAM in describe(one) for one in classes):
        raise UsageError(f"{config} is Python, and options are in YAML here; train reads configurations in Python.")
    return {UPSTREAM: str(config)}


@dataclass
class _Loader:
    """The `load` of a request: loads the model that was chosen, and remembers it and its file."""

    choice: ModelChoice
    method: MethodSpec
    options: dict[str, Any]
    progress: Progress
    found: loading.LoadRequest | None = None
    model: Model | None = None

    def __call__(self, **overrides: Any) -> Model:
        """Load the model; `overrides` are fields of `ModelChoice` or options of the model."""
        chosen = {**asdict(self.choice), **{k: overrides.pop(k) for k in [*overrides] if hasattr(self.choice, k)}}
        model = chosen.pop("model") or self.method.default
        store = WeightStore(progress=self.progress, say=self.progress.note)
        self.found = loading.request(model, store, options={**self.options, **overrides}, **chosen)
        self.model = self.found.load()
        return self.model


def run(asked: TaskRequest) -> TaskResult:
    """Run the task inside the `zoo_task` wrappers of all plugins, and write the receipt when there is an output folder.

    A wrapper that breaks costs a warning, not the task.
    """
    started = time.perf_counter()
    task = resolve(find_task(asked.method, asked.task).run)
    wrappers = _start_wrappers(catalogue(), asked)
    try:
        result: TaskResult = task(asked)
    except BaseException as error:
        for name, wrapper in reversed(wrappers):
            _pass_error(name, wrapper, error)
        raise
    for name, wrapper in reversed(wrappers):
        result = _pass_result(name, wrapper, result)
    if asked.out is not None and not result.aside:
        _write_receipt(asked.out, asked, result, time.perf_counter() - started)
    return result


def _start_wrappers(found: Catalogue, asked: TaskRequest) -> list[tuple[str, Wrapper]]:
    started = []
    for plugin in (plugin for plugin in found.plugins.values() if plugin.wraps):
        from zoo.discovery import task_wrappers

        try:
            for wrapper in task_wrappers(plugin, asked):
                next(wrapper)
                started.append((plugin.name, wrapper))
        except Exception as error:
            _warn(plugin.name, error)
    return started


def _pass_result(name: str, wrapper: Wrapper, result: TaskResult) -> TaskResult:
    try:
        wrapper.send(result)
    except StopIteration as end:
        return end.value if isinstance(end.value, TaskResult) else result
    except Exception as error:
        _warn(name, error)
    return result


def _pass_error(name: str, wrapper: Wrapper, error: BaseException) -> None:
    try:
        wrapper.throw(error)
    except StopIteration:
        return
    except BaseException as raised:
        if raised is not error:
            _warn(name, raised)


def _warn(name: str, error: BaseException) -> None:
    warnings.warn(f"The task wrapper of the plugin {name!r} broke and is ignored: {error!r}", stacklevel=2)


def _weights(found: loading.LoadRequest | None) -> dict[str, Any]:
    """The file that the model was loaded from, and its hash; the files, where it consists of several."""
    if found is None or found.path is None:
        return {}
    if found.files == (found.path,):
        return {"file": found.path.name, "sha256": sha256(found.path)}
    return {"file": found.path.name, "files": [receipts.describe(file, found.path.parent) for file in found.files]}


def _detector(load: Any) -> dict[str, Any]:
    """The model that found the faces for one that works on them, and its weights."""
    found = getattr(getattr(load, "model", None), "detector_request", None)
    return {"detector": {"model": found.card.id, "weights": _weights(found)}} if found else {}


def _write_receipt(out: Path, asked: TaskRequest, result: TaskResult, seconds: float) -> None:
    card = result.card or asked.card
    facts = {
        "task": f"{asked.method.name} {asked.task}",
        "model": card.id,
        "weights": _weights(getattr(asked.load, "found", None)),
        **_detector(asked.load),
        "licences": {name: licence["name"] for name, licence in asdict(card.licences).items()},
        "inputs": list(asked.inputs),
        "options": dict(asked.settings),
        "counts": {"inputs": result.inputs, "done": result.done, "skipped": len(result.skipped)},
        "skipped": [asdict(skip) for skip in result.skipped],
    }
    run_facts = {"seconds": round(seconds, 3), **result.summary}
    receipts.write(out / f"{asked.task}{receipts.SUFFIX}", facts, result.outputs, run_facts)
