"""The options of YuNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.inference.options import DetectorOptions
from zoo.options import option


@dataclass(frozen=True)
class YunetOptions(DetectorOptions):
    """What YuNet understands beyond every detector's options."""

    score: Literal["geometric", "product"] = option(
        "geometric",
        "How class and objectness become one score: geometric, the root of their product, as OpenCV and the C++"
        " library; or product, as the training repository. Thresholds apply to it.",
    )
