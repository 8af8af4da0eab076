"""SCRFD's loss from a configuration of the original's.

What absent fields mean is from deepinsight/insightface, detection/scrfd, mmdet: ``models/dense_heads``
(``scrfd_head.py``, ``anchor_head.py``), ``models/backbones/resnet.py``, ``models/losses``,
``core/anchor/anchor_generator.py`` and ``core/bbox/assigners/atss_assigner.py``.
"""

from __future__ import annotations

from dataclasses import replace

from zoo.training.losses import EPSILON
from zoo.training.upstream.sections import Section
from zoo_scrfd.losses import ATSS, Loss

MOBILENET = ("in_channels", "block_cfg", "num_stages", "out_indices")
RESNET = (*MOBILENET, "depth", "stem_channels", "base_channels", "strides", "dilations", "style", "conv_cfg", "dcn",
          "stage_with_dcn", "plugins", "with_cp")  # fmt: skip
NECK = ("type", "in_channels", "out_channels", "num_outs", "start_level", "end_level", "add_extra_convs",
        "extra_convs_on_inputs", "relu_before_extra_convs", "no_norm_on_lateral", "conv_cfg", "norm_cfg",
        "act_cfg")  # fmt: skip
HEAD = ("type", "num_classes", "in_channels", "feat_channels", "feat_mults", "stacked_convs", "conv_cfg",
        "cls_reg_share", "strides_share", "scale_mode", "dw_conv", "use_kps", "loss_dfl", "reg_max", "train_cfg",
        "test_cfg", "bbox_coder", "reg_decoded_bbox")  # fmt: skip
"""Fields of the network, which are `zoo_scrfd.upstream.read`'s, and those that nothing is made with: a detector gives
its head the ``train_cfg`` of its own, and distances need no ``bbox_coder``."""

KEYPOINTS = {"type": "SmoothL1Loss", "beta": 1 / 9, "loss_weight": 0.1}
"""What keypoints learn by where a head does not say it."""


def objective(model: Section, train_cfg: Section, own: Loss) -> Loss:
    """The loss that ``model`` and ``train_cfg`` describe; `own` is what it is where they describe one that is not here.

    What is not done here is refused in the account, also of how the network's parts learn.
    """
    _backbone(model.section("backbone"))
    model.section("neck").leave(*NECK)
    head = model.section("bbox_head")
    head.leave(*HEAD)
    _normalisation(head.section("norm_cfg", {}))
    strides, sizes = _anchors(head.section("anchor_generator"))
    return replace(
        _keypoints(head.section("loss_kps", KEYPOINTS), own),
        strides=strides,
        sizes=sizes,
        assigner=_assigner(train_cfg, own.assigner),
        **_scores(head.section("loss_cls", {"type": "CrossEntropyLoss"})),
        **_boxes(head.section("loss_bbox", {"type": "SmoothL1Loss"})),
    )


def _backbone(part: Section) -> None:
    if part.take("type") == "MobileNetV1":
        return part.leave(*MOBILENET)
    part.leave(*RESNET)
    _normalisation(part.section("norm_cfg", {}))
    part.want("frozen_stages", -1)
    part.want("norm_eval", False, default=True, hint="normalisations learn here, as with norm_eval=False")
    return part.want("zero_init_residual", True)


def _normalisation(part: Section) -> None:
    part.leave("type", "num_groups")
    part.want("requires_grad", True)


def _anchors(part: Section) -> tuple[tuple[int, ...], tuple[tuple[float, ...], ...]]:
    """The strides of the levels, and the sides of the square anchors of each."""
    part.leave("type", "scale_major")  # of several ratios
    for name in ("centers", "octave_base_scale", "scales_per_octave"):
        part.want(name, None)
    part.want("center_offset", 0)
    part.want("ratios", [1.0], hint="anchors are square here")
    strides, scales = tuple(map(int, part.numbers("strides"))), part.numbers("scales")
    bases = part.numbers("base_sizes", strides, len(strides))
    return strides, tuple(tuple(base * scale for scale in scales) for base in bases)


def _assigner(train_cfg: Section, own: ATSS) -> ATSS:
    """Also what else ``train_cfg`` says of which anchors learn."""
    train_cfg.leave("debug", "sampler")  # the one is read by detectors of two stages, the other by other losses
    if train_cfg.number("allowed_border", -1) >= 0:
        train_cfg.refuse("allowed_border", "anchors learn wherever they are, as with -1")
    if train_cfg.number("pos_weight", -1) > 0 and train_cfg.values["pos_weight"] != 1:
        train_cfg.refuse("pos_weight", "faces weigh as much as the rest, as with -1")
    part = train_cfg.section("assigner")
    if not part.is_a("ATSSAssigner"):
        return own
    part.want("mode", 0)
    part.want("iou_calculator", {"type": "BboxOverlaps2D"})
    if part.number("ignore_iof_thr", -1) > 0:
        part.refuse("ignore_iof_thr", "ignored faces are not looked at here, as with -1")
    return ATSS(part.whole("topk", least=1))


def _scores(part: Section) -> dict[str, float]:
    if not part.is_a("QualityFocalLoss"):
        return {}
    part.want("use_sigmoid", True)
    part.want("reduction", "mean")
    return {"class_weight": part.number("loss_weight", 1.0, 0), "focus": part.number("beta", 2.0, 0)}


def _boxes(part: Section) -> dict[str, float]:
    if not part.is_a("DIoULoss"):
        return {}
    part.want("reduction", "mean")
    if part.number("eps", EPSILON, 0) > EPSILON:
        part.refuse("eps", f"here it is {EPSILON:g}, nothing beside an area")
    return {"box_weight": part.number("loss_weight", 1.0, 0)}


def _keypoints(part: Section, own: Loss) -> Loss:
    if not part.is_a("SmoothL1Loss"):
        return own
    part.want("reduction", "mean")
    return replace(own, keypoint_weight=part.number("loss_weight", 1.0, 0), beta=part.number("beta", 1.0, 0))
