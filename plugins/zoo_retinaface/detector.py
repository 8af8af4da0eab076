"""A RetinaFace ready to use."""

from __future__ import annotations

from zoo.inference.detector import Detector, require_outputs
from zoo.inference.loading import LoadRequest
from zoo_retinaface.decode import CHANNELS, Decode


def load(request: LoadRequest) -> Detector:
    """The detector that `request` describes (options: `DetectorOptions`).

    IoU is with +1, as in ``utils/nms/py_cpu_nms.py``. Raises `ModelError` for files that are no RetinaFace.
    """
    steps, sizes, variances = (request.argument(name) for name in ("steps", "min_sizes", "variances"))
    decode = Decode(tuple(steps), tuple(tuple(level) for level in sizes), tuple(variances))
    session = request.session()
    require_outputs(request.card, session, CHANNELS, request.where, ordered=False)
    return Detector(request.card, session, decode, request.options, plus_one=True)
