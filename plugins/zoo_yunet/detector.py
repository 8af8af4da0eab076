"""A YuNet ready to use."""

from __future__ import annotations

from zoo.inference.detector import Detector, require_outputs
from zoo.inference.loading import LoadRequest
from zoo_yunet.decode import Decode


def load(request: LoadRequest) -> Detector:
    """The detector that `request` describes (options: `YunetOptions`). Raises `ModelError` for files that are no YuNet.

    IoU is without +1, as in mmcv's and OpenCV's suppression.
    """
    decode = Decode(tuple(request.argument("strides")), geometric=request.options.geometric)
    session = request.session()
    require_outputs(request.card, session, decode.channels, request.where)
    return Detector(request.card, session, decode, request.options)
