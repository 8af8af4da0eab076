"""Training: what the recipes of all methods share, from augmentation on the CPU to targets and losses.

`zoo.training.augment` needs numpy and OpenCV alone; the others import torch.
"""
