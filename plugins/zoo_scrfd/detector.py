"""An SCRFD ready to use."""

from __future__ import annotations

from zoo.inference.detector import Detector, require_outputs
from zoo.inference.loading import LoadRequest
from zoo_scrfd.decode import Decode


def load(request: LoadRequest) -> Detector:
    """The detector that `request` describes (options: `DetectorOptions`).

    IoU is with +1, as in ``scrfd.py``. Raises `ModelError` for files that are no SCRFD.
    """
    decode = Decode(tuple(request.argument("strides")), request.argument("anchors"), request.card.keypoints)
    session = request.session()
    require_outputs(request.card, session, decode.channels, request.where)
    return Detector(request.card, session, decode, request.options, plus_one=True)
