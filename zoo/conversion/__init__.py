"""Converting data sets: a reader and a writer over units of samples, in worker processes, with exact accounts."""
