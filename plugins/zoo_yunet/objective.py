"""YuNet's loss from a configuration of the original's.

What absent fields mean is from ShiqiYu/libfacedetection.train: ``mmdet/models/dense_heads/yunet_head.py``,
``mmdet/models/losses`` and ``mmdet/core/bbox/assigners/sim_ota_assigner.py``.
"""

from __future__ import annotations

from dataclasses import replace

from zoo.training.losses import EPSILON
from zoo.training.upstream.sections import Section
from zoo_yunet.losses import Loss, SimOTA

ENTROPY = {"type": "CrossEntropyLoss", "use_sigmoid": True, "reduction": "sum", "loss_weight": 1.0}
"""What scores learn by where a head does not say it."""


def objective(model: Section, train_cfg: Section, own: Loss) -> Loss:
    """The loss that ``model`` and ``train_cfg`` describe; `own` is what it is where they describe one that is not here.

    Fields of the network are `zoo_yunet.config.read`'s; what is not done here is refused in the account.
    """
    model.section("backbone").leave("type", "stage_channels", "downsample_idx", "out_idx")
    model.section("neck").leave("type", "in_channels", "out_idx")
    head = model.section("bbox_head")
    head.leave(
        "type", "num_classes", "in_channels", "feat_channels", "shared_stacked_convs", "stacked_convs", "use_kps",
        "kps_num", "train_cfg", "test_cfg",
    )  # fmt: skip
    priors = head.section("prior_generator")
    priors.want("type", "MlvlPointGenerator")
    priors.leave("offset")
    return replace(
        _boxes(head.section("loss_bbox", {"type": "IoULoss"}), own),
        strides=tuple(map(int, priors.numbers("strides"))),
        assigner=_assigner(train_cfg.section("assigner"), own.assigner),
        class_weight=_entropy(head.section("loss_cls", ENTROPY), own.class_weight),
        objectness_weight=_entropy(head.section("loss_obj", ENTROPY), own.objectness_weight),
        **_keypoints(head.section("loss_kps", {"type": None})),
    )


def _assigner(part: Section, own: SimOTA) -> SimOTA:
    if not part.is_a("SimOTAAssigner"):
        return own
    return SimOTA(
        part.number("center_radius", 2.5, 0),
        part.whole("candidate_topk", 10, 1),
        part.number("iou_weight", 3.0, 0),
        part.number("cls_weight", 1.0, 0),
    )


def _entropy(part: Section, own: float) -> float:
    """The weight of a cross-entropy of probabilities, summed."""
    if not part.is_a("CrossEntropyLoss"):
        return own
    part.want("use_sigmoid", True, default=False)
    part.want("reduction", "sum", default="mean")
    part.want("use_mask", False)
    part.want("class_weight", None)
    part.want("ignore_index", None)
    part.leave("avg_non_ignore")  # without an ignored label there is nothing to leave out
    return part.number("loss_weight", 1.0, 0)


def _boxes(part: Section, own: Loss) -> Loss:
    if not part.is_a("EIoULoss"):
        return own
    part.want("reduction", "sum", default="mean")
    if part.number("eps", EPSILON, 0) > EPSILON:
        part.refuse("eps", f"here it is {EPSILON:g}, nothing beside an area")
    return replace(own, box_weight=part.number("loss_weight", 1.0, 0), smooth=part.number("smooth_point", 0.1, 0))


def _keypoints(part: Section) -> dict[str, float]:
    if not part.is_a("SmoothL1Loss"):
        return {}
    part.want("reduction", "mean")
    return {"keypoint_weight": part.number("loss_weight", 1.0, 0), "beta": part.number("beta", 1.0, 0)}
