"""The 56-pixel network computed: as the original did, in inference mode whatever is done, and on photographs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo_slim56 import network
from zoo_tensorflow import checkpoint, graphs, session

import zoo
from tests.converters import slim
from zoo.errors import ModelError
from zoo.types import Floats

tf = pytest.importorskip("tensorflow", reason="the network is TensorFlow's")
pytestmark = pytest.mark.xdist_group("tensorflow")


@pytest.fixture(params=slim.FOLDERS)
def folder(fixtures: Path, request: pytest.FixtureRequest) -> Path:
    return fixtures / "written_by_originals" / str(request.param)


def opened(folder: Path) -> session.TensorFlowSession:
    return session.TensorFlowSession(folder, card=slim.card_of(folder))


def images(count: int) -> Floats:
    return np.random.default_rng(1).uniform(-1, 1, (count, 56, 56, 3)).astype(np.float32)


def test_it_answers_as_the_original(folder: Path) -> None:
    given, wanted = slim.recorded(folder)
    assert np.abs(slim.answer(opened(folder), given) - wanted).max() < 1e-5


def test_an_image_is_told_the_same_alone_and_among_others(folder: Path) -> None:
    given, wanted = slim.recorded(folder)
    together = slim.answer(opened(folder), np.concatenate([images(6), given]))
    assert np.abs(together[-1:] - wanted).max() < 1e-5
    alone = [slim.answer(opened(folder), image[None]) for image in images(6)]
    np.testing.assert_allclose(np.concatenate(alone), together[:-1], atol=1e-5)


def test_what_is_built_cannot_normalise_by_the_batch(folder: Path) -> None:
    """The original's bug: a graph in training mode. It is built here as well, to see that it would be noticed."""
    given, wanted = slim.recorded(folder)
    card = slim.card_of(folder)
    built = network.build(card.architecture, card.network)
    definition = graphs.read_checkpoint(folder, built).definition
    assert not any("Norm" in node.op or node.op in ("Mean", "Switch", "If") for node in definition.node)
    trained = in_training(built, checkpoint.arrays(folder), np.concatenate([given, images(6)]))
    assert (np.abs(trained[:1] - wanted).max() > 1e-2) == built.config.batch_norm


def in_training(built: network.Lannet, arrays: dict[str, Any], given: Floats) -> Floats:
    """The same network with mean and variance of the batch in place of the moving averages."""
    moments = tf.nn.batch_normalization

    def by_batch(values: Any, _mean: Any, _variance: Any, *rest: Any, **names: Any) -> Any:
        mean, variance = tf.nn.moments(values, list(range(len(values.shape) - 1)))
        return moments(values, mean, variance, *rest, **names)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.nn, "batch_normalization", by_batch)
        tensors = {name: tf.constant(array) for name, array in arrays.items()}
        (output,) = built(tf.constant(given), tensors)
    return np.asarray(output)


def test_variables_that_do_not_fit_are_named(folder: Path) -> None:
    card = slim.card_of(folder)
    built = network.build(card.architecture, card.network)
    arrays = checkpoint.arrays(folder)
    arrays["model/lannet/fc7/weights"] = np.zeros((2, 2), "f4")
    with pytest.raises(ModelError, match="fc7/weights is 2x2, where 128x136 is wanted"):
        graphs.of_network(built, arrays, "file")
    del arrays["model/lannet/fc7/weights"]
    with pytest.raises(ModelError, match="lacks model/lannet/fc7/weights"):
        graphs.of_network(built, arrays, "file")


def test_faces_of_a_photograph_get_68_points(fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime", reason="the detector is an ONNX file")
    monkeypatch.setenv("ZOO_WEIGHTS_PATH", str(fixtures))
    shutil.copy(fixtures / "written_by_originals" / slim.FOLDERS[0] / "frozen_model.pb", tmp_path / "mine.pb")
    model = zoo.load(tmp_path / "mine.pb", card="slim56", offline=True)
    faces = model(fixtures / "images" / "insightface_t1.jpg")
    assert len(faces) == 6
    assert faces.landmarks is not None and faces.landmarks.shape == (6, 68, 2)
    sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).max(1) * 1.1
    corners = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2 - sides[:, None] / 2
    fractions = (faces.landmarks - corners[:, None]) / sides[:, None, None]
    assert (fractions > -0.05).all() and (fractions < 2).all()
