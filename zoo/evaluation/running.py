"""A model over the images of a labelled set."""

from __future__ import annotations

from zoo.datasets.dataset import Dataset
from zoo.datasets.sample import Broken, Sample
from zoo.errors import InputError
from zoo.evaluation.predictions import Predictions
from zoo.inference.model import Model
from zoo.inference.runner import AHEAD_WITH_PIXELS, ordered
from zoo.requests import Progress
from zoo.types import Faces


def predict(model: Model, dataset: Dataset, workers: int, progress: Progress) -> Predictions:
    """What `model` finds in each image of the set, `workers` images at once. An image that is missing or cannot be read
    is skipped, with the reason."""

    def work(sample: Sample | Broken) -> tuple[str, Faces | InputError]:
        try:
            return sample.key, _detect(model, sample)
        except InputError as error:
            return sample.key, error

    found = Predictions()
    for key, faces in ordered(work, iter(dataset.reader), workers, AHEAD_WITH_PIXELS):
        progress.advance()
        if isinstance(faces, InputError):
            found.skip(key, str(faces))
        else:
            found.add(key, faces)
    return found


def _detect(model: Model, sample: Sample | Broken) -> Faces:
    if isinstance(sample, Broken):
        raise InputError(sample.why)
    if sample.image is None:
        raise InputError("comes without an image; say with images=FOLDER where the images are")
    return model.detect([sample.image.decode(sample.key)])[0]
