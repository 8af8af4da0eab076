"""Configurations of the originals' training, read into recipe and network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")
pytest.importorskip("mmengine", reason="inheritance needs mmengine")

from zoo_scrfd.losses import ATSS  # noqa: E402
from zoo_scrfd.losses import Loss as ScrfdLoss  # noqa: E402
from zoo_yunet.losses import Loss as YunetLoss  # noqa: E402
from zoo_yunet.losses import SimOTA  # noqa: E402

import zoo  # noqa: E402
from tests.training.configurations import write  # noqa: E402
from tests.training.photographs import labelled  # noqa: E402
from zoo import tasks  # noqa: E402
from zoo.cli.app import run as command  # noqa: E402
from zoo.errors import DONE, USAGE, UsageError  # noqa: E402
from zoo.models.edges import network  # noqa: E402
from zoo.plugins import catalogue, resolve  # noqa: E402
from zoo.specs import ModelCard  # noqa: E402
from zoo.training.augment import Flip, Resize, SquareCrop  # noqa: E402
from zoo.training.colours import Photometric  # noqa: E402
from zoo.training.recipe import Optimiser, Recipe, Schedule, adjusted  # noqa: E402
from zoo.training.upstream.planning import planned  # noqa: E402


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    return write(tmp_path / "configs")


class Notes:
    """A `Progress` that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def start(self, label: str, total: int | None = None) -> None: ...

    def advance(self, steps: int = 1) -> None: ...

    def note(self, message: str) -> None:
        self.notes.append(message)


def plan(file: Path, method: str = "", notes: Notes | None = None, **values: Any) -> tuple[ModelCard, Recipe, str]:
    """The card, the recipe with the options of the run, and what training begins with."""
    asked = tasks.request(method or file.stem, "train", ["set"], values, file, progress=notes or Notes())
    request, recipe = planned(asked)
    return request.card, adjusted(recipe, request.options, 32), request.options.init


def changed(configs: Path, method: str, lines: str) -> Path:
    """A file that inherits the `method`'s and says `lines` besides."""
    path = configs / "changed.py"
    path.write_text(f"_base_ = './{method}.py'\n{lines}\n", "utf-8")
    return path


def step(configs: Path, method: str, kind: str, lines: str) -> Path:
    """A file in which the step `kind` of the pipeline says `lines`, instead of what it says, where it says it."""
    text = (configs / f"{method}.py").read_text("utf-8")
    begin = next(line for line in text.splitlines() if f"'{kind}'" in line)
    path = configs / "changed.py"
    path.write_text(text.replace(begin, begin.replace("dict(", f"dict({lines}, ", 1)), "utf-8")
    return path


def test_every_number_of_a_yunet_arrives(configs: Path) -> None:
    card, recipe, begin = plan(configs / "yunet.py")
    assert (card.id, card.architecture, begin) == ("yunet_n", "yunet_n", "")
    assert card.network == {"stem": 8, "widths": (16, 32, 32, 32, 32, 32), "features": 32}
    assert recipe.optimiser == Optimiser(0.05, 0.8, 0.002)
    assert recipe.schedule == Schedule((12, 24), 0.1, 70, 0.25)
    assert (recipe.epochs, recipe.batch, recipe.side, recipe.clip, recipe.ema) == (30, 6, 224, 7.5, 0)
    assert recipe.augmentation == (SquareCrop((0.4, 0.75, 1.25)), Resize(224, 224), Flip(0.25))
    assigner = SimOTA(radius=3.5, candidates=8, iou_weight=2.5, class_weight=1.5)
    assert recipe.loss == YunetLoss((8, 16, 32), assigner, 0.75, 1.25, 4.0, 0.3, 0.5, 0.2)
    assert card.preprocess == catalogue().cards["yunet_n"].preprocess


def test_every_number_of_an_scrfd_arrives(configs: Path) -> None:
    notes = Notes()
    card, recipe, _ = plan(configs / "scrfd.py", notes=notes)
    assert (card.architecture, card.keypoints) == ("scrfd_2.5g_bnkps", 5)
    assert card.network["planes"] == (16, 16, 24, 32)
    assert recipe.augmentation == (
        Photometric(16, (0.8, 1.2), (0.75, 1.25), 9),
        SquareCrop((0.5, 1.0), clip=False),
        Resize(160, 160),
        Flip(0.5),
    )
    sizes = ((12, 24), (48, 96), (192, 384))
    assert recipe.loss == ScrfdLoss((8, 16, 32), sizes, ATSS(6), 0.5, 3.0, 0.2, 1.5, 0.25)
    assert (recipe.epochs, recipe.batch, recipe.side) == (30, 5, 160)
    preprocess = card.preprocess
    assert (preprocess.colour, preprocess.mean, preprocess.scale) == ("bgr", (100, 110, 120), 1)
    assert preprocess.std == (64, 64, 64)
    assert [note for note in notes.notes if "left out: the normalisation of scrfd_2.5g_bnkps" in note]


def test_options_go_before_the_file(configs: Path) -> None:
    values = {"epochs": "4", "batch": "3", "side": "96", "lr": "0.5", "warmup": "1", "drops": "2", "crops": "1.0"}
    _, recipe, _ = plan(configs / "yunet.py", **values, clip="0", ema="0.5")
    assert (recipe.epochs, recipe.batch, recipe.side, recipe.clip, recipe.ema) == (4, 3, 96, 0, 0.5)
    assert (recipe.optimiser.rate, recipe.schedule.warmup, recipe.schedule.drops) == (0.5, 1, (2,))
    assert recipe.steps[:2] == (SquareCrop((1.0,)), Resize(96, 96))


def test_a_step_has_the_images_of_all_devices(configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = Notes()
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert plan(configs / "yunet.py", notes=notes)[1].batch == 24
    assert "6 images a device, 4 devices: 24 a step, at the file's learning rate of 0.05" in notes.notes[0]


def test_the_model_must_have_the_network_of_the_file(configs: Path) -> None:
    with pytest.raises(UsageError, match="describes another network than yunet_n's"):
        plan(configs / "yunet.py", model="yunet_n")
    same = changed(
        configs,
        "yunet",
        "model = dict(backbone=dict(stage_channels=[[3, 16, 16], [16, 64], *[[64, 64]] * 4]),"
        " neck=dict(in_channels=[64] * 3), bbox_head=dict(in_channels=64, feat_channels=64))",
    )
    card, _, _ = plan(same, "yunet", model="yunet_n")
    assert (card.id, card.network) == ("yunet_n", {})
    with pytest.raises(UsageError, match="describes no network of scrfd"):
        plan(configs / "yunet.py", "scrfd")
    with pytest.raises(UsageError, match="retinaface is not trained by configurations"):
        plan(configs / "yunet.py", "retinaface")


def test_what_reads_the_outputs_follows_the_network(configs: Path) -> None:
    head = "loss_kps=None, use_kps=False, anchor_generator=dict(scales=[1])"
    card, recipe, _ = plan(changed(configs, "scrfd", f"model = dict(bbox_head=dict({head}))"), "scrfd")
    assert (card.keypoints, card.arguments["anchors"], card.arguments["strides"]) == (0, 1, [8, 16, 32])
    built = network(card)
    outputs = built(torch.zeros(1, 3, 64, 64))
    assert [one.shape[1] for one in outputs] == [64, 16, 4] * 2
    assert card.parameters == sum(one.numel() for one in built.parameters())
    assert recipe.loss.sizes == ((12,), (48,), (192,))  # type: ignore[attr-defined]


HONOURED: dict[str, dict[str, Any]] = {
    "lr_config = dict(policy='fixed', _delete_=True)": {"schedule": Schedule()},
    "lr_config = dict(step=7, gamma=.5)": {"schedule": Schedule((7, 14, 21, 28), 0.5, 70, 0.25)},
    "optimizer = dict(type='SGD', lr=.1, _delete_=True)": {"optimiser": Optimiser(0.1, 0, 0)},
    "optimizer_config = dict(grad_clip=None)": {"clip": 0.0},
    "custom_hooks = [dict(type='EMAHook', momentum=.01), dict(type='NumClassCheckHook')]": {"ema": 0.99},
    "data = dict(train=dict(_delete_=True, type='RepeatDataset', times=3, dataset={{_base_.data.train}}))": {
        "epochs": 90,
        "schedule": Schedule((36, 72), 0.1, 70, 0.25),
    },
    "data = dict(train=[{{_base_.data.train}}] * 2)": {"epochs": 30, "side": 224},
    "data = dict(imgs_per_gpu=9)": {"batch": 9},
    "fp16 = dict(loss_scale=512.)": {"precision": "float16"},
    "data = dict(_delete_=True, train={{_base_.data.train}}, train_dataloader=dict(samples_per_gpu=8))": {"batch": 8},
}


@pytest.mark.parametrize("lines", HONOURED)
def test_other_ways_of_saying_it_are_understood(configs: Path, lines: str) -> None:
    _, recipe, _ = plan(changed(configs, "yunet", lines), "yunet")
    assert {name: getattr(recipe, name) for name in HONOURED[lines]} == HONOURED[lines]


def test_a_file_of_weights_is_what_training_begins_with(configs: Path) -> None:
    file = changed(configs, "yunet", "load_from = 'work/epoch_2.pth'")
    assert plan(file, "yunet")[2] == "work/epoch_2.pth"
    assert plan(file, "yunet", init="yunet_n")[2] == "yunet_n"


REFUSED = {
    "optimizer = dict(type='AdamW', betas=(.9, .99))": "optimizer.type = 'AdamW' (here it is SGD)",
    "optimizer = dict(nesterov=True)": "optimizer.nesterov = True",
    "optimizer = dict(paramwise_cfg=dict(bias_lr_mult=2.))": "optimizer.paramwise_cfg = ",
    "optimizer = dict(amsgrad=True)": "optimizer.amsgrad = True",
    "optimizer_config = dict(type='GradientCumulativeOptimizerHook')": "optimizer_config.type = 'GradientCum",
    "optimizer_config = dict(grad_clip=dict(norm_type=1))": "grad_clip.norm_type = 1 (here it is 2)",
    "lr_config = dict(policy='CosineAnnealing', min_lr=0)": "lr_config.policy = 'CosineAnnealing' (here there are",
    "lr_config = dict(warmup='exp')": "lr_config.warmup = 'exp'",
    "lr_config = dict(min_lr=1e-5)": "lr_config.min_lr = 1e-05",
    "lr_config = dict(warmup_by_epoch=True)": "lr_config.warmup_by_epoch = True",
    "momentum_config = dict(policy='cyclic')": "momentum_config = ",
    "runner = dict(type='IterBasedRunner', max_iters=9)": "runner.type = 'IterBasedRunner'",
    "runner = dict(type='EpochBasedRunner', max_epochs=9)": "total_epochs = 30 (runner says another number)",
    "resume_from = 'work/latest.pth'": "resume_from = 'work/latest.pth' (resume=true goes on",
    "workflow = [('train', 1), ('val', 1)]": "workflow = [('train', 1), ('val', 1)] (epochs are of training",
    "custom_imports = dict(imports=['mine'])": "custom_imports = ",
    "custom_hooks = [dict(type='ExpMomentumEMAHook')]": "custom_hooks.ExpMomentumEMAHook.type",
    "custom_hooks = [dict(type='EMAHook', interval=4)]": "custom_hooks.EMAHook.interval = 4",
    "custom_hooks = [dict(type='EMAHook', momentum=.5)]": "the momentum is the same from the first step on",
    "auto_scale_lr = dict(enable=True, base_batch_size=16)": "auto_scale_lr = ",
    "data = dict(shuffle=False)": "data.shuffle = False",
    "data = dict(train=dict(min_size=12))": "data.train.min_size = 12",
    "data = dict(train_dataloader=dict(class_aware_sampler=dict()))": "train_dataloader.class_aware_sampler",
    "data = dict(train=dict(_delete_=True, type='ClassBalancedDataset', dataset={{_base_.data.train}}))": (
        "data.train.type = 'ClassBalancedDataset'"
    ),
    "model = dict(pretrained='a.pth')": "model.pretrained = 'a.pth' (give init=FILE",
    "model = dict(mystery=1)": "model.mystery = 1",
    "model = dict(bbox_head=dict(mystery=1))": "model.bbox_head.mystery = 1",
    "model = dict(backbone=dict(frozen=True))": "model.backbone.frozen = True",
    "model = dict(bbox_head=dict(loss_cls=dict(type='FocalLoss', alpha=.5)))": "loss_cls.type = 'FocalLoss'",
    "model = dict(bbox_head=dict(loss_obj=dict(reduction='mean')))": "loss_obj.reduction = 'mean'",
    "model = dict(bbox_head=dict(loss_bbox=dict(type='CIoULoss')))": "loss_bbox.type = 'CIoULoss'",
    "model = dict(bbox_head=dict(loss_bbox=dict(eps=1.)))": "loss_bbox.eps = 1.0",
    "model = dict(bbox_head=dict(loss_kps=dict(type='WingLoss')))": "loss_kps.type = 'WingLoss'",
    "model = dict(train_cfg=dict(assigner=dict(type='MaxIoUAssigner')))": "assigner.type = 'MaxIoUAssigner'",
    "train_cfg = dict(assigner=dict())": "train_cfg = {'assigner': {}} (the model has another",
}


@pytest.mark.parametrize("lines", REFUSED)
def test_what_is_not_done_is_refused_with_its_name_and_value(configs: Path, lines: str) -> None:
    file = changed(configs, "yunet", lines)
    with pytest.raises(UsageError) as error:
        plan(file, "yunet")
    assert str(error.value).startswith(f"{file} asks for what this training does not do: ")
    assert REFUSED[lines] in str(error.value)
    ignore = str(error.value).rpartition("ignore=")[2]
    notes = Notes()
    plan(file, "yunet", ignore=ignore, notes=notes)
    assert REFUSED[lines] in notes.notes[-1]
    plan(file, "yunet", ignore="all")
    with pytest.raises(UsageError):
        plan(file, "yunet", ignore="lr,type,step")


REFUSED_SCRFD = {
    "train_cfg = dict(assigner=dict(mode=2))": "train_cfg.assigner.mode = 2 (here it is 0)",
    "train_cfg = dict(assigner=dict(ignore_iof_thr=.5))": "assigner.ignore_iof_thr = 0.5",
    "train_cfg = dict(assigner=dict(type='MaxIoUAssigner'))": "assigner.type = 'MaxIoUAssigner'",
    "train_cfg = dict(allowed_border=0)": "train_cfg.allowed_border = 0",
    "train_cfg = dict(pos_weight=2.)": "train_cfg.pos_weight = 2.0",
    "model = dict(backbone=dict(norm_eval=True))": "model.backbone.norm_eval = True",
    "model = dict(backbone=dict(frozen_stages=1))": "model.backbone.frozen_stages = 1",
    "model = dict(backbone=dict(norm_cfg=dict(requires_grad=False)))": "norm_cfg.requires_grad = False",
    "model = dict(backbone=dict(zero_init_residual=False))": "zero_init_residual = False",
    "model = dict(bbox_head=dict(anchor_generator=dict(ratios=[2.])))": "anchor_generator.ratios = [2.0]",
    "model = dict(bbox_head=dict(anchor_generator=dict(center_offset=.5)))": "anchor_generator.center_offset",
    "model = dict(bbox_head=dict(loss_cls=dict(type='FocalLoss')))": "loss_cls.type = 'FocalLoss'",
    "model = dict(bbox_head=dict(loss_bbox=dict(type='GIoULoss')))": "loss_bbox.type = 'GIoULoss'",
    "model = dict(bbox_head=dict(loss_kps=dict(reduction='sum')))": "loss_kps.reduction = 'sum'",
}


@pytest.mark.parametrize("lines", REFUSED_SCRFD)
def test_what_an_scrfd_does_not_do_is_refused(configs: Path, lines: str) -> None:
    file = changed(configs, "scrfd", lines)
    with pytest.raises(UsageError) as error:
        plan(file, "scrfd")
    assert REFUSED_SCRFD[lines] in str(error.value)
    plan(file, "scrfd", ignore=str(error.value).rpartition("ignore=")[2])


STEPS = {
    ("PhotoMetricDistortion", "gray_prob=.2"): "data.train.pipeline.PhotoMetricDistortion.gray_prob = 0.2",
    ("RandomSquareCrop", "min_iou=.2"): "RandomSquareCrop.min_iou = 0.2",
    ("Resize", "ratio_range=(.5, 2.)"): "Resize.ratio_range = (0.5, 2.0)",
    ("Resize", "backend='pillow'"): "Resize.backend = 'pillow'",
    ("RandomFlip", "direction='vertical'"): "RandomFlip.direction = 'vertical'",
    ("LoadImageFromFile", "color_type='grayscale'"): "LoadImageFromFile.color_type = 'grayscale'",
    ("LoadAnnotations", "with_mask=True"): "LoadAnnotations.with_mask = True",
    ("Pad", "size=(640, 640)"): "Pad.type = 'Pad' (images are not padded here)",
    ("Normalize", "per_image=True"): "Normalize.per_image = True",
}


@pytest.mark.parametrize("kind", STEPS)
def test_what_a_step_does_not_do_is_refused(configs: Path, kind: tuple[str, str]) -> None:
    with pytest.raises(UsageError) as error:
        plan(step(configs, "scrfd", *kind), "scrfd")
    assert STEPS[kind] in str(error.value)
    plan(configs / "changed.py", "scrfd", ignore=str(error.value).rpartition("ignore=")[2])


PIPELINES = {
    "dict(type='RandomSquareCrop', crop_ratio_range=[.3, 1.]), dict(type='Resize', img_scale=(64, 64))": (
        "RandomSquareCrop.crop_ratio_range = [0.3, 1.0] (sizes are drawn from crop_choice here)"
    ),
    "dict(type='Expand', ratio_range=(1, 2)), dict(type='Resize', img_scale=(64, 64), keep_ratio=False)": (
        "data.train.pipeline.Expand.type = 'Expand' (no such step is here)"
    ),
    "dict(type='Resize', img_scale=(64, 64))": "Resize.keep_ratio = None (images are stretched to squares here)",
    "dict(type='Resize', img_scale=(64, 32), keep_ratio=False)": "Resize.img_scale = (64, 32)",
    "dict(type='Resize', img_scale=[(64, 64), (32, 32)], keep_ratio=False)": "Resize.img_scale = [(64, 64), (32, 32)]",
    "dict(type='Resize', img_scale=(64, 64), keep_ratio=False), dict(type='RandomSquareCrop', crop_choice=[1.])": (
        "RandomSquareCrop.type = 'RandomSquareCrop' (after Resize"
    ),
    "dict(type='Resize', img_scale=(64, 64), keep_ratio=False), dict(type='Normalize', mean=[0] * 3, std=[1] * 3),"
    "dict(type='RandomFlip', flip_ratio=.5)": "RandomFlip.type = 'RandomFlip' (after Normalize",
    "dict(type='Resize', img_scale=(64, 64), keep_ratio=False), dict(type='RandomFlip', flip_ratio=[.3, .3])": (
        "RandomFlip.flip_ratio = [0.3, 0.3]"
    ),
}


def piped(configs: Path, steps: str) -> Path:
    return changed(configs, "yunet", f"data = dict(train=dict(pipeline=[{steps}]))")


@pytest.mark.parametrize("steps", PIPELINES)
def test_pipelines_that_do_something_else_are_refused(configs: Path, steps: str) -> None:
    file = piped(configs, steps)
    with pytest.raises(UsageError) as error:
        plan(file, "yunet")
    assert PIPELINES[steps] in str(error.value)
    plan(file, "yunet", ignore=str(error.value).rpartition("ignore=")[2])


def test_ignored_crops_are_the_recipes_own(configs: Path) -> None:
    steps = "dict(type='RandomSquareCrop', crop_ratio_range=[.3, 1.]), dict(type='Resize', img_scale=(64, 64))"
    _, recipe, _ = plan(piped(configs, steps), "yunet", ignore="crop_ratio_range,gray_prob")
    own: Recipe = resolve(catalogue().methods["yunet"].recipe)(catalogue().cards["yunet_n"])
    assert recipe.augmentation[0] == own.augmentation[0]


WRONG = {
    "optimizer = dict(lr='fast')": "optimizer.lr is 'fast' and not a number",
    "optimizer = dict(lr=-1)": "optimizer.lr is -1 and not a number of at least 0",
    "optimizer = dict(type='SGD', _delete_=True)": "it does not say optimizer.lr",
    "optimizer = 3": "optimizer is 3 and not a dictionary",
    "lr_config = dict(step=[8, 4])": "lr_config.step is [8, 4] and not rising numbers of epochs",
    "lr_config = dict(warmup_iters=.5)": "lr_config.warmup_iters is 0.5",
    "total_epochs = 0": "total_epochs is 0 and not a number of at least 1",
    "total_epochs = True": "total_epochs is True",
    "data = dict(samples_per_gpu=None)": "data.samples_per_gpu is None",
    "data = dict(train=3)": "data.train is 3",
    "data = dict(train=dict(pipeline=[]))": "data.train.pipeline is []",
    "data = dict(train=dict(pipeline=['Resize']))": "data.train.pipeline is ['Resize'] and not a list of dictionaries",
    "data = dict(train=dict(pipeline=[dict(type='Collect')]))": "makes no squares: it has no Resize",
    "model = dict(train_cfg=None)": "it does not say train_cfg.assigner",
}


@pytest.mark.parametrize("lines", WRONG)
def test_what_is_no_value_of_its_kind_is_told(configs: Path, lines: str) -> None:
    file = changed(configs, "yunet", lines)
    with pytest.raises(UsageError) as error:
        plan(file, "yunet", ignore="all")
    assert str(error.value).startswith(f"{file}")
    assert WRONG[lines] in str(error.value)


def test_python_is_for_training_and_ignore_for_python(configs: Path) -> None:
    with pytest.raises(UsageError, match="options are in YAML here"):
        tasks.request("yunet", "infer", ["a.jpg"], {}, configs / "yunet.py")
    with pytest.raises(UsageError, match="ignore is for fields of a configuration"):
        planned(tasks.request("yunet", "train", ["set"], {"ignore": "all"}))
    with pytest.raises(UsageError, match="There is no configuration file"):
        planned(tasks.request("yunet", "train", ["set"], {}, configs / "gone.py"))


def test_yaml_sets_options_as_before_and_names_a_configuration(configs: Path) -> None:
    (configs / "options.yaml").write_text(f"upstream: {configs / 'yunet.py'}\nepochs: 2\nlr: 0.25\n", "utf-8")
    card, recipe, _ = plan(configs / "options.yaml", "yunet", lr="0.125")
    assert card.network["features"] == 32
    assert (recipe.epochs, recipe.batch, recipe.optimiser.rate) == (2, 6, 0.125)


@pytest.mark.parametrize("method", ["yunet", "scrfd"])
def test_the_command_trains_what_a_configuration_describes(
    fixtures: Path, configs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    data, out = labelled(tmp_path, fixtures), tmp_path / "run"
    words = ["run", method, "train", str(data), "--out", str(out), "--config", str(configs / f"{method}.py")]
    small = ["epochs=1", "batch=2", "side=64", "threads=1", "device=cpu"]
    assert command([*words, *small]) == DONE, capsys.readouterr().err
    written = json.loads((out / "config.json").read_text())
    assert written["options"]["upstream"] == str(configs / f"{method}.py")
    assert (written["recipe"]["optimiser"]["rate"], written["recipe"]["batch"]) == (0.05, 2)
    assert f"{method}.py |" in (out / "README.md").read_text()
    model = zoo.load(out / "best.pth", threads=1, size="64x64", device="cpu")
    assert model.card.preprocess.mean == ((0, 0, 0) if method == "yunet" else (100, 110, 120))
    assert model.card.network
    assert command([*words, *small, "resume=true", "lr=1"]) == USAGE
    assert "another optimiser" in capsys.readouterr().err
