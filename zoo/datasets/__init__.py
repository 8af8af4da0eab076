"""Data sets as streams of `zoo.datasets.sample.Sample`, whatever the format they lie in."""
