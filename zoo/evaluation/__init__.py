"""Judging predictions against ground truth: what all protocols share."""
