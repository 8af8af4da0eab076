"""What tf2onnx makes of an operation wrongly, put right through the registry in which it looks operations up."""

from __future__ import annotations

from typing import Any

OPERATION = "TFL_FULLY_CONNECTED"


def register() -> None:
    """Let tf2onnx keep the bias of a fully connected layer whose input has more than two dimensions.

    Up to 1.17 its ``TflFullyConnectedOp`` forgets it where it flattens such an input, without a word.
    """
    from tf2onnx.handler import tfl_op

    tfl_op([OPERATION])(FullyConnected)


class FullyConnected:
    """A handler of tf2onnx, around its own."""

    @classmethod
    def to_tf(cls, ctx: Any, node: Any, **rest: Any) -> None:
        """Turn `node` of the graph `ctx` into a product, and a sum where it has a bias."""
        from tf2onnx.tflite_handlers.tfl_math import TflFullyConnectedOp

        biases = [name for name in node.input[2:] if name]
        TflFullyConnectedOp.to_tf(ctx, node, **rest)
        for bias in biases:
            if not ctx.find_output_consumers(bias):
                added = ctx.insert_new_node_on_output("Add", node.output[0], inputs=[node.output[0], bias])
                added.skip_conversion = True
