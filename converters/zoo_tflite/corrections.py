"""What tf2onnx makes of an operation wrongly, put right through the registry in which it looks operations up."""

from __future__ import annotations

from typing import Any, ClassVar

OPERATION = "TFL_FULLY_CONNECTED"


class FullyConnected:
    """A handler of tf2onnx, around its own, which forgets a bias where the input has more than two dimensions.

    That is so up to 1.17, where it flattens such an input, without a word.
    """

    original: ClassVar[Any]

    @classmethod
    def to_tf(cls, ctx: Any, node: Any, **rest: Any) -> None:
        """Turn `node` of the graph `ctx` into a product, and a sum where it has a bias."""
        biases = [name for name in node.input[2:] if name]
        cls.original.to_tf(ctx, node, **rest)
        for bias in biases:
            if not ctx.find_output_consumers(bias):
                added = ctx.insert_new_node_on_output("Add", node.output[0], inputs=[node.output[0], bias])
                added.skip_conversion = True


def register() -> None:
    """Let tf2onnx use what is here. Its own handlers are imported before, since that registers them."""
    from tf2onnx.handler import tfl_op
    from tf2onnx.tflite_handlers.tfl_math import TflFullyConnectedOp

    FullyConnected.original = TflFullyConnectedOp
    tfl_op([OPERATION])(FullyConnected)
