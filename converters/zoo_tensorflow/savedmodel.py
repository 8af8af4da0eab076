"""SavedModels: what their folders may hold, and what loading one may run. See `zoo_tensorflow.operations`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.errors import ModelError
from zoo_tensorflow import checkpoint
from zoo_tensorflow.operations import RESTORING, function_names, reachable, require

_KNOWN = re.compile(
    r"saved_model\.pb|fingerprint\.pb|keras_metadata\.pb|variables/variables\.(index|data-\d{5}-of-\d{5})"
    r"|assets(\.extra)?/[^/]+|(.*/)?\.[^/]*"
)
_INITIAL = ("saved_model_main_op", "legacy_init_op")
_INITIAL_SIGNATURE = "__saved_model_init_op"


def folder_of(path: Path) -> Path:
    """The folder of the SavedModel that `path` means: the folder itself or the file in it."""
    return path if path.is_dir() or path.name != "saved_model.pb" else path.parent


def files(path: Path) -> tuple[Path, ...]:
    """The files of the SavedModel, sorted. Raises `ModelError` for a folder with links or with files that belong to no
    SavedModel."""
    folder = folder_of(path)
    return tuple(sorted(_files(folder)))


def read(path: Path) -> Any:
    """The ``MetaGraphDef`` of the SavedModel, after everything that loading it runs has been looked at: its variables
    are restored, and nothing else. What its functions do is looked at when one of them is taken.

    Raises `ModelError` for a folder that is damaged, is no SavedModel, or holds one that does more than that.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    folder = folder_of(path)
    found = files(folder)
    if folder / "saved_model.pb" not in found:
        raise ModelError(f"{folder} is no SavedModel: it holds no saved_model.pb.")
    try:
        document = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    except Exception as error:  # protobuf's error has no public class that all of its implementations share
        raise ModelError(f"{folder}/saved_model.pb is damaged: {error}.") from None
    serving = [graph for graph in document.meta_graphs if "serve" in graph.meta_info_def.tags]
    if len(serving) != 1:
        raise ModelError(f"{folder} has {len(serving)} graphs for serving, where one is expected.")
    _require_harmless(serving[0], folder)
    if folder / "variables" / "variables.index" in found:
        checkpoint.arrays(folder / "variables" / "variables.index")  # damage is found here, not in TensorFlow
    return serving[0]


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ModelError(f"{folder} is not read: {name} in it is a link or no ordinary file.")
        if path.is_file():
            if not _KNOWN.fullmatch(name):
                raise ModelError(f"{folder} is not read: a SavedModel has no file {name}; take it away or move it.")
            yield path


def _require_harmless(meta: Any, folder: Path) -> None:
    graph, where = meta.graph_def, f"{folder}/saved_model.pb"
    functions = function_names(graph)
    for start in _run_on_loading(meta):
        require(reachable(graph, start).values(), RESTORING, where, functions)
    for node in meta.object_graph_def.nodes:
        if node.WhichOneof("kind") in ("resource", "asset") or node.saveable_objects:
            raise ModelError(f"{where} brings tables or files of its own, which are not loaded.")


def _run_on_loading(meta: Any) -> Iterator[str]:
    """The names of the nodes that loading runs."""
    yield meta.saver_def.restore_op_name
    for key in _INITIAL:
        if key in meta.collection_def:
            yield from meta.collection_def[key].node_list.value
    if _INITIAL_SIGNATURE in meta.signature_def:
        for tensor in meta.signature_def[_INITIAL_SIGNATURE].outputs.values():
            yield tensor.name.partition(":")[0]
