"""What the zoo costs, as ratios to named peers or limits.

``python -m benchmarks`` runs all, ``python -m benchmarks.NAME`` one. Each prints one line of JSON
(`benchmarks.harness.Report`). Nothing here is part of the installed package.
"""

NAMES = (
    "startup",
    "latency",
    "nms",
    "throughput",
    "memory",
    "conversion",
    "models",
    "quantised",
    "native",
    "widerface",
    "training",
    "learning",
)
"""The benchmarks, in the order in which they run."""
