"""Configurations of the mm family (mmdetection 2) as recipes.

What is read from where, and what its absence means, is from deepinsight/insightface, detection/scrfd, and
ShiqiYu/libfacedetection.train: ``tools/train.py``, ``mmdet/apis/train.py`` and ``mmdet/datasets/builder.py``; from
open-mmlab/mmcv 1: ``mmcv/runner/hooks`` (``lr_updater.py``, ``optimizer.py``, ``ema.py``); and from PyTorch's ``SGD``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from torch import distributed

from zoo.plugins import resolve
from zoo.specs import MethodSpec, ModelCard, Preprocess
from zoo.training.recipe import Optimiser, Recipe, Schedule
from zoo.training.upstream import pipeline
from zoo.training.upstream.sections import Section

UNREAD = {
    "resume_from": "resume=true goes on with a run of the zoo",
    "momentum_config": "the momentum stays as it is here",
    "custom_imports": "nothing is imported from a configuration",
}
"""What the originals' training reads and what changes it, but is not done here, with what is told of it.

What is read: ``optimizer``, ``optimizer_config``, ``lr_config``, ``runner``, ``total_epochs``, ``data``, ``model``,
``train_cfg``, ``fp16``, ``custom_hooks``, ``workflow``, ``auto_scale_lr``, ``load_from``. Whatever else a file assigns
is left: either it changes nothing that is learnt (``checkpoint_config``, ``log_config``, ``evaluation``,
``dist_params``, ``work_dir``, ``cudnn_benchmark``, ``test_cfg``, ``seed``, which the command line overwrites ...), or
it is a variable that the file itself is made with and nobody reads.
"""

DATA = ("workers_per_gpu", "persistent_workers", "val", "test", "val_dataloader", "test_dataloader")
"""Fields of ``data`` that do not change what is learnt."""

LOADER = ("workers_per_gpu", "persistent_workers", "pin_memory", "prefetch_factor")
"""Those of ``data.train_dataloader``."""

SET = ("type", "ann_file", "img_prefix", "seg_prefix", "proposal_file", "data_root", "gt_path", "test_mode",
       "separate_eval", "filter_empty_gt", "file_client_args")  # fmt: skip
"""Those of a set, which the user names instead."""

HOOKS = ("CheckInvalidLossHook", "EmptyCacheHook", "IterTimerHook", "MemoryProfilerHook", "NumClassCheckHook",
         "SetEpochInfoHook", "TensorboardLoggerHook", "TextLoggerHook", "WandbLoggerHook")  # fmt: skip
"""Hooks that look on."""


@dataclass(frozen=True)
class Said:
    """What a configuration says: the `recipe`, what happens to images before the network, and the file of weights to
    begin with, empty for random ones."""

    recipe: Recipe
    preprocess: Preprocess
    begin: str


def read(root: Section, method: MethodSpec, card: ModelCard) -> Said:
    """What the configuration `root` says of the training of the `card`'s network. What is not done here is refused in
    its account; raises `UsageError` for what is missing or no value of its kind."""
    own: Recipe = resolve(method.recipe)(card)
    data, model = root.section("data"), root.section("model")
    repeats, parts = _set(_sets(data))
    found = pipeline.read(parts, own)
    model.leave("type", "test_cfg")
    model.want("pretrained", None, hint="give init=FILE to begin with weights")
    model.want("init_cfg", None, hint="give init=FILE to begin with weights")
    loss = resolve(method.objective)(model, _train_cfg(root, model), own.loss)
    epochs = _epochs(root, own)
    recipe = replace(
        own, loss=loss, augmentation=tuple(found.steps), side=found.side,
        epochs=epochs * repeats,
        batch=_each(data) * processes(),
        optimiser=_optimiser(root.section("optimizer"), own),
        schedule=_schedule(root.section("lr_config"), epochs, repeats, own),
        clip=_clip(root.section("optimizer_config", {})),
        ema=_average(root),
        precision=_precision(root, own),
    )  # fmt: skip
    _rest(root)
    begin = root.take("load_from") or ""
    return Said(recipe, found.preprocess(card.preprocess), str(begin))


def processes() -> int:
    """How many processes share the run, each with a device."""
    return distributed.get_world_size() if distributed.is_initialized() else int(os.environ.get("WORLD_SIZE", "1"))


def _sets(data: Section) -> list[Section]:
    """What ``data.train`` consists of."""
    return data.items("train") if isinstance(data.values.get("train"), list | tuple) else [data.section("train")]


def _set(parts: list[Section]) -> tuple[int, list[Section]]:
    """How often an epoch goes through a set, and the steps of its pipeline; of several sets all must have the same."""
    first, *others = parts
    for other in others:
        other.leave_all()
        if other.values.get("pipeline") != first.values.get("pipeline"):
            other.refuse("pipeline", "one pipeline is for all sets here")
    kind = first.take("type")
    if kind == "ConcatDataset":
        first.leave("separate_eval")
        return _set(first.items("datasets"))
    if "dataset" in first:
        if kind != "RepeatDataset":
            first.refuse("type", "sets are gone through evenly here")
            first.leave_all()
        repeats = first.whole("times", least=1) if kind == "RepeatDataset" else 1
        inner, steps = _set([first.section("dataset")])
        return repeats * inner, steps
    first.leave(*SET)
    steps = first.items("pipeline")
    if not steps:
        raise first.wrong("pipeline", "a list of steps")
    return 1, steps


def _each(data: Section) -> int:
    """How many images a device learns from in a step."""
    loader = data.section("train_dataloader", {})
    data.leave(*DATA)
    loader.leave(*LOADER)
    if "samples_per_gpu" in loader:
        return loader.whole("samples_per_gpu", least=1)
    if "imgs_per_gpu" in data:  # the older name, which goes before the newer one
        data.leave("samples_per_gpu")
        return data.whole("imgs_per_gpu", least=1)
    return data.whole("samples_per_gpu", least=1)


def _train_cfg(root: Section, model: Section) -> Section:
    """The model's ``train_cfg`` or, where it has none, the file's."""
    if "train_cfg" not in model:
        model.leave("train_cfg")
        return root.section("train_cfg", {})
    if root.take("train_cfg") not in (None, model.values["train_cfg"]):
        root.refuse("train_cfg", "the model has another, which counts here")
    return model.section("train_cfg")


def _epochs(root: Section, own: Recipe) -> int:
    if "runner" not in root:
        return root.whole("total_epochs", least=1)
    runner = root.section("runner")
    if not runner.is_a("EpochBasedRunner"):
        return own.epochs
    epochs = runner.whole("max_epochs", least=1)
    root.want("total_epochs", None if "total_epochs" not in root else epochs, hint="runner says another number")
    return epochs


def _optimiser(part: Section, own: Recipe) -> Optimiser:
    """What SGD does where nothing is said, is torch's: no momentum and no decay."""
    if not part.is_a("SGD"):
        return own.optimiser
    part.want("nesterov", False)
    part.want("dampening", 0)
    part.want("constructor", "DefaultOptimizerConstructor")
    if part.take("paramwise_cfg"):
        part.refuse("paramwise_cfg", "all parameters have one learning rate and one decay here")
    return Optimiser(part.number("lr", least=0), part.number("momentum", 0.0, 0), part.number("weight_decay", 0.0, 0))


def _schedule(part: Section, epochs: int, repeats: int, own: Recipe) -> Schedule:
    """The steps and the warming up of mmcv, in which an absent ratio is 0.1."""
    policy = part.take("policy")
    if policy not in ("step", "fixed"):
        part.refuse("policy", "here there are step and fixed")
        part.leave_all()
        return own.schedule
    part.want("by_epoch", True)
    part.want("min_lr", None)
    plain = Schedule()
    drops, factor = _drops(part, epochs) if policy == "step" else (plain.drops, plain.factor)
    warmup, start = plain.warmup, plain.start
    part.want("warmup_by_epoch", False)
    if "warmup" not in part:
        part.leave("warmup", "warmup_iters", "warmup_ratio")
    elif part.take("warmup") == "linear":
        warmup, start = part.whole("warmup_iters", least=1), part.number("warmup_ratio", 0.1, 0)
    else:
        part.refuse("warmup", "here it is linear")
        part.leave("warmup_iters", "warmup_ratio")
    return Schedule(tuple(repeats * drop for drop in drops), factor, warmup, start)


def _drops(part: Section, epochs: int) -> tuple[tuple[int, ...], float]:
    """The epochs at which the rate drops, counted from 0, and by what; one number means each multiple of it."""
    factor = part.number("gamma", 0.1, 0)
    if isinstance(part.values.get("step"), int):
        step = part.whole("step", least=1)
        return tuple(range(step, epochs, step)), factor
    found = part.numbers("step")
    if list(found) != sorted(found) or any(one != int(one) for one in found):
        raise part.wrong("step", "rising numbers of epochs")
    return tuple(map(int, found)), factor


def _clip(part: Section) -> float:
    part.want("type", "OptimizerHook")
    part.leave("detect_anomalous_params", "coalesce", "bucket_size_mb")
    if "grad_clip" not in part:
        part.leave("grad_clip")
        return 0.0
    clip = part.section("grad_clip")
    clip.want("norm_type", 2)
    clip.leave("error_if_nonfinite")
    return clip.number("max_norm", least=0)


def _average(root: Section) -> float:
    """The momentum of the moving average that a hook keeps, as torch counts it: what stays of the average so far."""
    kept = 0.0
    for hook in root.items("custom_hooks") if "custom_hooks" in root else ():
        kind = hook.take("type")
        if kind == "EMAHook":
            kept = _kept(hook)
        else:
            hook.leave_all()
            if kind not in HOOKS:
                hook.refuse("type", "no such hook is here")
    return kept


def _kept(hook: Section) -> float:
    hook.leave("priority")
    hook.want("interval", 1)
    hook.want("resume_from", None)
    momentum = hook.number("momentum", 0.0002, 0)
    if momentum * hook.number("warm_up", 100, 1) > 1:  # else (1 + n) / (warm_up + n) is never below it
        hook.refuse("warm_up", "the momentum is the same from the first step on here")
    return 1 - momentum


def _precision(root: Section, own: Recipe) -> str:
    """Losses are scaled and unscaled, so that by what does not matter."""
    if "fp16" not in root:
        return own.precision
    root.section("fp16").leave_all()
    return "float16"


def _rest(root: Section) -> None:
    """What is read of a whole file and not by any part of it; what nobody reads is left."""
    for name, hint in UNREAD.items():
        if root.take(name):
            root.refuse(name, hint)
    flow = root.take("workflow", [("train", 1)])
    if not isinstance(flow, list) or [*map(len, flow)] != [2] or flow[0][0] != "train":
        root.refuse("workflow", "epochs are of training here; val=SET judges")
    if "auto_scale_lr" in root and root.section("auto_scale_lr").values.get("enable"):
        root.refuse("auto_scale_lr", "give lr=")
    root.leave_all()
