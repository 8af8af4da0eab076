"""The options of the format. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.options import option


@dataclass(frozen=True)
class WriteOptions:
    """Of what archives a set is made."""

    shard: int = option(
        10_000, "Samples an archive; the target is a folder of archives. 0 writes one archive instead.", least=0
    )
    name: str = option("data", "How the names of the archives in a folder begin: NAME-000000.tar.")
