"""Configurations with the structure of the originals', written for the tests: other values, in another order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SCHEDULE = """
    rounds = 3
    total_epochs = 10 * rounds
    lr_config = dict(warmup_ratio=0.25, warmup_iters=70, policy='step', step=[4 * rounds, 8 * rounds], warmup='linear')
    optimizer_config = dict(grad_clip=dict(norm_type=2, max_norm=7.5))
    optimizer = dict(weight_decay=0.002, type='SGD', momentum=0.8, lr=0.05)
"""
RUNTIME = """
    workflow = [('train', 1)]
    log_config = dict(hooks=[dict(type='TextLoggerHook')], interval=5)
    checkpoint_config = dict(interval=2)
    dist_params = dict(backend='gloo')
    evaluation = dict(metric='mAP', interval=9)
    resume_from, load_from = None, None
    log_level = 'WARNING'
"""
YUNET = """
    _base_ = ['base/schedule.py', 'base/runtime.py']
    numbers = dict(to_rgb=False, std=[1., 1., 1.], mean=[0., 0., 0.])
    steps = [
        dict(to_float32=True, type='LoadImageFromFile'),
        dict(with_keypoints=True, with_bbox=True, type='LoadAnnotations'),
        dict(crop_choice=[0.4, 0.75, 1.25], type='RandomSquareCrop'),
        dict(keep_ratio=False, img_scale=(224, 224), type='Resize'),
        dict(flip_ratio=0.25, type='RandomFlip'),
        dict(type='Normalize', **numbers),
        dict(type='DefaultFormatBundle'),
        dict(type='Collect', keys=['img', 'gt_bboxes', 'gt_labels', 'gt_keypointss']),
    ]
    data = dict(
        val=dict(type='RetinaFaceDataset', ann_file='v.txt', pipeline=[dict(type='Unheard')]),
        train=dict(pipeline=steps, img_prefix='pictures/', ann_file='t.txt', type='RetinaFaceDataset'),
        workers_per_gpu=3, samples_per_gpu=6)
    binary = dict(reduction='sum', use_sigmoid=True, type='CrossEntropyLoss')
    model = dict(
        train_cfg=dict(assigner=dict(
            type='SimOTAAssigner', cls_weight=1.5, iou_weight=2.5, candidate_topk=8, center_radius=3.5)),
        test_cfg=dict(score_thr=0.3),
        bbox_head=dict(
            loss_kps=dict(loss_weight=0.3, beta=0.5, type='SmoothL1Loss'),
            loss_obj=dict(loss_weight=1.25, **binary),
            loss_cls=dict(loss_weight=0.75, **binary),
            loss_bbox=dict(smooth_point=0.2, reduction='sum', loss_weight=4.0, type='EIoULoss'),
            prior_generator=dict(strides=[8, 16, 32], offset=0, type='MlvlPointGenerator'),
            kps_num=5, use_kps=True, stacked_convs=0, shared_stacked_convs=1, feat_channels=32, in_channels=32,
            num_classes=1, type='YuNet_Head'),
        neck=dict(out_idx=[0, 1, 2], in_channels=[32] * 3, type='TFPN'),
        backbone=dict(
            out_idx=[3, 4, 5], downsample_idx=[0, 2, 3, 4], type='YuNetBackbone',
            stage_channels=[[3, 8, 16], [16, 32], [32, 32], [32, 32], [32, 32], [32, 32]]),
        type='YuNet')
"""
SCRFD = """
    _base_ = ['base/runtime.py', 'base/schedule.py']
    runner = dict(max_epochs=30, type='EpochBasedRunner')
    data = dict(
        samples_per_gpu=5,
        train=dict(
            type='RetinaFaceDataset', ann_file='t.txt', img_prefix='pictures/',
            pipeline=[
                dict(type='LoadImageFromFile', to_float32=True),
                dict(type='LoadAnnotations', with_bbox=True, with_keypoints=True),
                dict(type='PhotoMetricDistortion', hue_delta=9, saturation_range=(0.75, 1.25),
                     contrast_range=(0.8, 1.2), brightness_delta=16),
                dict(type='RandomSquareCrop', bbox_clip_border=False, crop_choice=[0.5, 1.0]),
                dict(type='Resize', bbox_clip_border=False, img_scale=[(160, 160)], keep_ratio=True),
                dict(type='RandomFlip', flip_ratio=0.5),
                dict(type='Normalize', to_rgb=False, std=[64., 64., 64.], mean=[100., 110., 120.]),
                dict(type='Pad', size_divisor=32),
                dict(type='DefaultFormatBundle'),
                dict(type='Collect', keys=['img', 'gt_bboxes', 'gt_labels', 'gt_bboxes_ignore', 'gt_keypointss']),
            ]))
    train_cfg = dict(
        debug=False, pos_weight=-1, allowed_border=-1, assigner=dict(topk=6, mode=0, type='ATSSAssigner'))
    model = dict(
        type='SCRFD',
        backbone=dict(
            type='ResNetV1e', style='pytorch', norm_eval=False, norm_cfg=dict(type='BN', requires_grad=True),
            out_indices=(0, 1, 2, 3), num_stages=4, base_channels=24, depth=0,
            block_cfg=dict(stage_planes=[16, 16, 24, 32], stage_blocks=(1, 2, 2, 1), block='BasicBlock')),
        neck=dict(
            type='PAFPN', num_outs=3, add_extra_convs='on_output', start_level=1, out_channels=16,
            in_channels=[16, 16, 24, 32]),
        bbox_head=dict(
            type='SCRFDHead', num_classes=1, in_channels=16, feat_channels=32, stacked_convs=1, cls_reg_share=True,
            strides_share=False, scale_mode=2, dw_conv=False, norm_cfg=dict(type='BN', requires_grad=True),
            anchor_generator=dict(
                type='AnchorGenerator', strides=[8, 16, 32], base_sizes=[12, 48, 192], scales=[1, 2], ratios=[1.0]),
            loss_cls=dict(type='QualityFocalLoss', use_sigmoid=True, beta=1.5, loss_weight=0.5),
            loss_bbox=dict(type='DIoULoss', loss_weight=3.0), loss_dfl=False, reg_max=8, use_kps=True,
            loss_kps=dict(type='SmoothL1Loss', loss_weight=0.2, beta=0.25),
            train_cfg=dict(assigner=dict(type='Unheard'))))
"""
FILES = {"base/schedule.py": SCHEDULE, "base/runtime.py": RUNTIME, "yunet.py": YUNET, "scrfd.py": SCRFD}


def write(folder: Path, files: Mapping[str, str] = FILES) -> Path:
    """Write `files`, indented by four blanks, into `folder`, which it returns."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("\n".join(line[4:] for line in text.splitlines()) + "\n", "utf-8")
    return folder
