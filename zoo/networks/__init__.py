"""What the networks of all methods share: configurations as data, strict loading, and counting.

`zoo.networks.configs` is light. `zoo.networks.state` and `zoo.networks.complexity` import torch, so they are imported
only where a network is built.
"""
