"""A web server, and stores that use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.weights.weight_server import Site, serve
from zoo.weights import Settings, WeightStore, download


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """New tries come at once, and the index is not the user's own."""
    monkeypatch.setattr(download, "PAUSES", (0.01, 0.01, 0.01))
    for name in ("ZOO_PYPI_INDEX", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def site() -> Iterator[Site]:
    site, server = serve()
    yield site
    server.shutdown()
    server.server_close()


@pytest.fixture
def said() -> list[str]:
    """What the store has said."""
    return []


@pytest.fixture
def store(site: Site, said: list[str]) -> Callable[..., WeightStore]:
    """Makes a store whose mirror and package index are the server; keywords are other settings."""

    def make(**settings: Any) -> WeightStore:
        defaults = {"mirror": site.address, "index": f"{site.address}/simple/"}
        return WeightStore(Settings(**(defaults | settings)), say=said.append)

    return make
