"""The operations that a graph may have.

A TensorFlow graph is a program: there are operations that read, write and delete files, open sockets and call Python.
So a graph is run only if each of its operations is one that networks are made of, and reads and writes nothing but
tensors. What is missing here is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from zoo.errors import ModelError

_COMPUTING = """
Abs Add AddN AddV2 All Any ArgMax ArgMin Assert AvgPool BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchToSpaceND BiasAdd
BiasAddV1 BroadcastArgs BroadcastTo Cast Ceil ClipByValue Concat ConcatV2 Const Conv2D Conv2DBackpropInput Conv3D Cos
CropAndResize Cumsum DepthToSpace DepthwiseConv2dNative Div DivNoNan Einsum Elu EnsureShape Enter Equal Erf Exit Exp
ExpandDims Expm1 ExtractImagePatches FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel
Fill Floor FloorDiv FloorMod FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Gather GatherNd GatherV2 Greater
GreaterEqual Identity IdentityN If Inv IsFinite IsInf IsNan L2Loss LRN LeakyRelu Less LessEqual LinSpace Log Log1p
LogSoftmax LogicalAnd LogicalNot LogicalOr LoopCond MatMul Max MaxPool MaxPoolV2 Maximum Mean Merge Min Minimum
MirrorPad Mod Mul MulNoNan Neg NextIteration NoOp NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3
NonMaxSuppressionV4 NonMaxSuppressionV5 NotEqual OneHot OnesLike Pack Pad PadV2 PartitionedCall Placeholder
PlaceholderV2 PlaceholderWithDefault Pow PreventGradient Prod Range Rank ReadVariableOp RealDiv Reciprocal Relu Relu6
Reshape ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor Reverse ReverseV2 Rint Round Rsqrt ScatterNd
Select SelectV2 Selu Shape ShapeN Sigmoid Sign Sin Size Slice Snapshot Softmax Softplus Softsign SpaceToBatchND
SpaceToDepth Split SplitV Sqrt Square SquaredDifference Squeeze StatefulPartitionedCall StatelessIf StatelessWhile
StopGradient StridedSlice Sub Sum Switch Tan Tanh Tile TopK TopKV2 Transpose Unpack VarHandleOp VarIsInitializedOp
Variable VariableV2 Where While Xdivy ZerosLike
"""

_LOADING = "Assign AssignVariableOp DisableCopyOnRead Restore RestoreSlice RestoreV2 ShardedFilename StringJoin"

NETWORK = frozenset(_COMPUTING.split())
"""What a network computes with."""

RESTORING = NETWORK | frozenset(_LOADING.split())
"""What loading a SavedModel does besides: its variables are read from the checkpoint in its folder."""

_TRAINING = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")


def require(nodes: Iterable[Any], allowed: frozenset[str], where: str, functions: Iterable[str] = ()) -> None:
    """Raise `ModelError` unless each of `nodes` (``NodeDef``) has an operation of `allowed`, or calls one of the
    graph's own `functions`."""
    known = allowed | frozenset(functions)
    for node in nodes:
        if node.op not in known:
            raise ModelError(
                f"{where} has the operation {node.op[:80]} ({node.name[:80]}), which no network here needs and which"
                " is not run: convert a graph for inference alone."
            )


def require_inference(nodes: Iterable[Any], where: str) -> None:
    """Raise `ModelError` where a batch-norm of `nodes` takes its statistics from the batch.

    A graph that was frozen while training does, and what it says of an image then depends on the images beside it; the
    moving averages are not in the file, so that nothing can be made of it.
    """
    for node in nodes:
        # An attribute that is absent has the operation's default, and that is training.
        if node.op in _TRAINING and ("is_training" not in node.attr or node.attr["is_training"].b):
            raise ModelError(
                f"{where} is a training graph: its batch-norm {node.name[:80]} takes mean and variance from the batch;"
                " convert the checkpoint it was made from."
            )


def function_names(definition: Any) -> list[str]:
    """The names of a ``GraphDef``'s own functions."""
    return [function.signature.name for function in definition.library.function]


def reachable(definition: Any, start: str) -> dict[tuple[str, str], Any]:
    """The nodes that run when the node called `start` does, by the function that they are in (empty for the graph
    itself) and their name. Raises `ModelError` where two nodes have one name, so that one could hide behind another."""
    bodies: dict[str, Iterable[Any]] = {"": definition.node}
    bodies.update((function.signature.name, function.node_def) for function in definition.library.function)
    for nodes in bodies.values():
        _require_distinct([node.name for node in nodes])
    graph = {node.name: node for node in definition.node}
    found: dict[tuple[str, str], Any] = {}
    pending = [("", graph[start])] if start in graph else []
    while pending:
        scope, node = pending.pop()
        if (scope, node.name) in found:
            continue
        found[scope, node.name] = node
        if not scope:  # of a function all nodes are taken, as some run without being an input of any
            names = (name.lstrip("^").partition(":")[0] for name in node.input)
            pending.extend(("", graph[name]) for name in names if name in graph)
        for called in {node.op, *_called(node)} & bodies.keys() - {""}:
            pending.extend((called, each) for each in bodies[called])
    return found


def _require_distinct(names: list[str]) -> None:
    if len(set(names)) != len(names):
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise ModelError(f"The graph is damaged: two of its nodes are called {twice[:80]}.")


def _called(node: Any) -> Iterator[str]:
    for value in node.attr.values():
        yield value.func.name
        yield from (function.name for function in value.list.func)
