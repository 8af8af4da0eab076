"""The C interface of a generated program: its header, its source around the engine, and its CMake file.

Ids, names and summaries come with files of strangers: they become text of comments and C names only through `said` and
`identifier`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Template

from zoo.errors import ModelError
from zoo.networks.native import Native, constant
from zoo.plugins import catalogue, resolve
from zoo.specs import ModelCard, Thresholds
from zoo_cpp import contract
from zoo_cpp.engine import MAX_THREADS
from zoo_cpp.golden import SAMPLES, Golden, constants
from zoo_cpp.program import Program
from zoo_cpp.sources import text

LONGEST_NAME = 60

_INCLUDES = (
    *("algorithm", "atomic", "cmath", "condition_variable", "cstddef", "cstdint", "cstdlib", "cstring", "mutex"),
    *("new", "thread"),
)

HEAD = (
    "".join(f"#include <{name}>\n" for name in _INCLUDES)
    + """#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__GNUC__)  // not every network needs every function and every constant
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-const-variable"
#pragma GCC diagnostic ignored "-Wpsabi"  // vectors wider than registers are handed to functions of this file alone
#endif
"""
)
"""What the engine and all that is around it stand behind."""

_PARTS = {
    "detector": (("fit", "nms"), "api_detector", "functions_detector"),
    "landmarks": (("bicubic", "crop"), "api_face", "functions_landmarks"),
    "encoder": (("bicubic", "crop"), "api_face", "functions_encoder"),
    "raw": ((), "api_raw", ""),
}
"""What each kind of model needs beyond its engine: files of the image side, what stands behind its functions, and these
themselves."""


@dataclass(frozen=True)
class Interface:
    """All that the C interface of a model depends on. `kind` is ``detector``, ``landmarks``, ``encoder`` or, where
    nothing is known of what the outputs mean, ``raw``; `native` is what the method brings; `binary` says that the
    weights are in a file."""

    name: str
    kind: str
    card: ModelCard
    program: Program
    golden: Golden
    native: Native | None = None
    binary: bool = False

    @property
    def words(self) -> dict[str, str]:
        """What every template knows."""
        given = "weights, weights_size" if self.binary else "nullptr, 0"
        taken = " const void* weights, size_t weights_size," if self.binary else ""
        return {"name": self.name, "NAME": self.name.upper(), "weights": taken, "weights_given": given}


def identifier(wanted: str) -> str:
    """A C name from any text: lower case, and such that neither C, C++ nor their libraries can have it."""
    name = re.sub(r"[^a-z0-9]+", "_", wanted.lower())[:LONGEST_NAME].strip("_")
    if not name or not name[0].isalpha() or name.startswith(("pthread", "posix")):
        name = f"model_{name}".rstrip("_")
    # Words of the languages have no digit and no underscore, or one of these endings, or are among the last.
    own = re.search(r"[0-9_]", name) and not name.endswith(("_t", "_cast", "_eq")) and not name.startswith("co_")
    return name if own and name not in ("thread_local", "static_assert") else f"{name}_model"


def said(words: str, most: int = 200) -> str:
    """`words` for a comment: letters, digits and a few signs, so that no comment ends or goes on where it should not
    (``*/``, a backslash before the line's end, trigraphs)."""
    return re.sub(r"[^A-Za-z0-9 .,;:()+\-_=%]", "_", " ".join(words.split()))[:most].rstrip()


def describe(card: ModelCard, program: Program, golden: Golden, *, name: str = "", binary: bool = False) -> Interface:
    """The interface of `card`'s model. Raises `ModelError` where the network is not what the card says."""
    if program.channels != 3:
        raise ModelError(f"The network of {card.id!r} takes {program.channels} channels, and images have three.")
    columns = tuple(output.columns for output in program.outputs)
    kind, native = _brought(card, columns)
    if kind == "encoder" and columns != (card.embedding,):
        raise ModelError(f"The network does not give the {card.embedding} numbers that the card {card.id!r} says.")
    return Interface(identifier(name or card.id), kind, card, program, golden, native, binary)


def _brought(card: ModelCard, columns: tuple[int, ...]) -> tuple[str, Native | None]:
    """The kind of the model's interface, and what its method brings."""
    if card.method not in catalogue().methods:
        return "raw", None
    method = catalogue().methods[card.method]
    native = resolve(method.native)(card, columns) if method.native else None
    known = native or method.kind == "encoder"
    fits = method.kind == "detector" or card.preprocess.crop.kind
    return (method.kind, native) if method.kind in _PARTS and known and fits else ("raw", None)


def header(made: Interface) -> str:
    """NAME.h."""
    card, contract_ = made.card, made.card.preprocess
    licence = card.licences.weights
    functions = text(f"header_{made.kind}") if made.kind != "raw" else ""
    aligned = contract_.crop.kind == "aligned"
    words = made.words | {
        "title": f"{made.name}: a network for faces as C++.",
        "id": said(card.id),
        "method": said(card.method),
        "summary": said(card.summary),
        "licence": f"{said(licence.name)}; commercial use: {said(licence.commercial)}.",
        "layout": "1 x height x width x 3" if contract_.layout == "nhwc" else "1 x 3 x height x width",
        "sizes": _sizes(made),
        "order": "red, green, blue" if contract_.colour == "rgb" else "blue, green, red",
        "fitted": _fitted(made),
        "outputs": _outputs(made.program),
        "constants": _macros(made),
        "weights_note": _WEIGHTS_NOTE if made.binary else "",
        "keypoints_note": "may not be null, and box may" if aligned else "are not looked at and may be null",
        "face_note": _face(made)[1],
        "face": _face(made)[0],
    }
    return _filled(text("header"), words | {"functions": _filled(functions, words)})


_WEIGHTS_NOTE = """`weights` are the bytes of the file of
 * weights, at an address that is a multiple of 4, which must stay as long as the model. """


def source(made: Interface, engine: str) -> str:
    """NAME.cpp around the text of the `engine`."""
    images, behind, functions = _PARTS[made.kind]
    face, _, face_name, handed = _face(made)
    words = made.words | {"face": face, "face_name": face_name, "face_given": handed}
    native = made.native
    parts = [
        f"// {made.name}: written by zoo convert. What it does, and how it is used, is in {made.name}.h.",
        f'#include "{made.name}.h"\n\n{HEAD}',
        "namespace {\n",
        contract.constants(made.card, made.program.fixed),
        constant("kInputNhwc", made.card.preprocess.layout == "nhwc"),
        constant("kPlusOne", bool(native and native.plus_one)),
        *(text(name) for name in ("image", *images)),
        # Its own names may be the engine's, too.
        f"namespace method {{\n{native.source}}}  // namespace method\n" if native and native.source else "",
        engine,
        text("input"),
        _filled(text(behind), words),
        _filled(text("api"), words),
        "}  // namespace\n",
        _filled(text("functions"), words),
        _filled(text(functions), words) if functions else "",
        self_test(made),
    ]
    return "\n".join(parts)


def self_test(made: Interface) -> str:
    """What NAME.cpp has under NAME_SELF_TEST and NAME_SELF_TEST_MAIN."""
    words = made.words | {"golden": constants(made.golden), "samples": str(SAMPLES)}
    return _filled(text("self_test"), words | (_MAIN_WITH_WEIGHTS if made.binary else _MAIN))


_MAIN = {"main_arguments": "", "main_weights": "", "main_given": ""}
_MAIN_WITH_WEIGHTS = {
    "main_arguments": "int count, char** words",
    "main_weights": """  std::FILE* file = count == 2 ? std::fopen(words[1], "rb") : nullptr;
  if (!file || std::fseek(file, 0, SEEK_END)) return std::fprintf(stderr, "usage: %s WEIGHTS\\n", words[0]), 1;
  const size_t size = static_cast<size_t>(std::ftell(file));
  void* weights = std::malloc(size + 1);
  std::rewind(file);
  if (!weights || std::fread(weights, 1, size, file) != size) return std::fprintf(stderr, "unreadable\\n"), 1;
  std::fclose(file);
""",
    "main_given": " weights, size,",
}


def cmake(made: Interface) -> str:
    """CMakeLists.txt."""
    arguments = f" ${{CMAKE_CURRENT_SOURCE_DIR}}/{made.name}.bin" if made.binary else ""
    return _filled(text("cmake"), made.words | {"test_arguments": arguments})


def _filled(template: str, words: dict[str, str]) -> str:
    return Template(template).substitute(words)


def input_size(made: Interface) -> tuple[int, int]:
    """The (width, height) of every input, 0 for what depends on the image."""
    from zoo.inference.preprocess import parse_sizes

    size = parse_sizes(made.card.preprocess.size)[0]
    return made.program.fixed or (size.width, size.height)


def _sizes(made: Interface) -> str:
    if made.program.fixed:
        return "{} x {} pixels (width x height)".format(*made.program.fixed)
    return f"sides that are multiples of {made.program.multiple}"


def _fitted(made: Interface) -> str:
    width, height = input_size(made)
    crop = made.card.preprocess.crop
    if crop.kind:
        return f"Of an image it sees one face (crop {said(crop.kind)}), {width} x {height} pixels."
    if height:
        return f"Images are resized to fit into {width} x {height} pixels, and padded on the right or at the bottom."
    return f"Images are {f'resized to {width} pixels on the longer side' if width else 'taken as they are'}, padded."


def _outputs(program: Program) -> str:
    return "\n".join(
        f" *   {index}  {said(output.name, 60)}, {output.columns} a row" for index, output in enumerate(program.outputs)
    )


def _face(made: Interface) -> tuple[str, str, str, str]:
    """How one face is said: the parameter, a note on it, its name, and what is handed on as box and keypoints."""
    if made.card.preprocess.crop.kind == "aligned":
        note = (
            "`keypoints` are x and y of the\n * eyes, nose and corners of the mouth, the left one in the image first."
        )
        return "keypoints[10]", note, "keypoints", "nullptr, keypoints"
    return "box[4]", "`box` is left, top, right, bottom, in\n * pixels of the image.", "box", "box, nullptr"


def _macros(made: Interface) -> str:
    """The header's constants."""
    card, given = made.card, made.card.preprocess
    width, height = input_size(made)
    thresholds = card.thresholds.get("photo") or next(iter(card.thresholds.values()), Thresholds(0.5, 0.4))
    rows: list[tuple[str, str, str]] = [
        ("OUTPUTS", str(len(made.program.outputs)), ""),
        ("MAX_THREADS", str(MAX_THREADS), ""),
        ("INPUT_WIDTH", str(width), "of the network's input in pixels, 0 where it depends on the image"),
        ("INPUT_HEIGHT", str(height), ""),
        ("MULTIPLE", str(made.program.multiple), "sides of the input are multiples of this"),
        ("MEAN", _initialiser(given.mean), "in the network's order of channels"),
        ("SCALE", _number(given.scale), ""),
        ("STD", _initialiser(given.std), ""),
        ("PAD", _number(given.pad), "value of what is beside an image, before that arithmetic"),
        ("TEST_WIDTH", str(made.golden.width), "of the self-test's picture"),
        ("TEST_HEIGHT", str(made.golden.height), ""),
        (
            "TOLERANCE",
            repr(made.golden.tolerance),
            "of the self-test, as a fraction of a number or of the output's mean",
        ),
    ]
    if made.kind == "detector":
        rows += [("KEYPOINTS", str(card.keypoints), "of a face"), ("SCORE", _number(thresholds.score), "by default")]
        rows += [("OVERLAP", _number(thresholds.nms), "")]
    if made.kind == "landmarks":
        variances = bool(made.native and made.native.variances)
        rows += [("LANDMARKS", str(card.landmarks), ""), ("VARIANCES", str(int(variances)), "1: it gives them")]
    if made.kind == "encoder":
        rows += [("EMBEDDING", str(card.embedding), "")]
    prefix = made.name.upper()
    return "\n".join(
        f"#define {prefix}_{name} {value}{f'  /* {note} */' if note else ''}" for name, value, note in rows
    )


def _number(value: float) -> str:
    """A float of C, from a number that `contract.constants` has accepted."""
    return f"{float(value)!r}f"


def _initialiser(values: tuple[float, ...]) -> str:
    return "{" + ", ".join(map(_number, values)) + "}"
