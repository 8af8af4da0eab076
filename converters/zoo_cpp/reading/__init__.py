"""How an ONNX graph is read: tensors that say how they lie over feature maps, what operators do with them, and which
steps become one."""
