"""The options of YuNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.inference.options import DetectorOptions
from zoo.options import option


@dataclass(frozen=True)
class YunetOptions(DetectorOptions):
    """What YuNet understands beyond every detector's options."""

    score: Literal["auto", "geometric", "product"] = option(
        "auto",
        "How class and objectness become the score that thresholds apply to: geometric, the root of their product, as"
        " OpenCV and the C++ library; product, as the training repository; or auto, which is product with"
        " thresholds=protocol, since that is what the original was evaluated with, and else geometric.",
    )

    @property
    def geometric(self) -> bool:
        """Whether the score is the root of the product."""
        return self.score == "geometric" or (self.score == "auto" and self.thresholds != "protocol")
