"""Weights on this machine: found, fetched, verified by their SHA-256, and never used when they do not match.

`WeightStore` does the work; `Settings` says what it may do. Everything it keeps lies in ``weights/`` of the cache
folder, ordered by hash::

    weights/<sha256>/<file name>           a complete, verified file
    weights/parts/<sha256>.<pid>-*.part    a transfer that runs, or that a dead process has left to be continued
    weights/recorded/<model>/<file>.json   the hash of a file that nobody publishes one for
    weights/hashes.json                    what was hashed before, so that it is hashed again only when it changed
"""

from zoo.weights.licences import describe, enforce
from zoo.weights.settings import Settings
from zoo.weights.store import Added, Problem, Pruned, Verified, WeightStore

__all__ = ["Added", "Problem", "Pruned", "Settings", "Verified", "WeightStore", "describe", "enforce"]
