"""What the weight store may do: from the environment, and from flags that go before it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zoo.errors import UsageError, WeightsError, suggestion

PYPI = "https://pypi.org/simple/"
POLICIES = ("any", "commercial")


@dataclass(frozen=True)
class Address:
    """A place to read from. `setting` is the address of the user's own from which it follows, empty for none."""

    url: str
    setting: str = ""


@dataclass(frozen=True)
class Settings:
    """What the store may do and where it looks.

    `offline` forbids the network. `search` are folders whose files are found by their hash, whatever they are called,
    and whose wheels serve as sources. `mirror` is a base address that is asked before each https address: with
    ``https://mirror.example/files`` the file ``https://github.com/a/b`` is first read from
    ``https://mirror.example/files/github.com/a/b``. `index` is the package index. `policy` is ``any`` or
    ``commercial``. Raises `UsageError` for a value that cannot be meant.
    """

    offline: bool = False
    search: tuple[Path, ...] = ()
    mirror: str = ""
    index: str = PYPI
    policy: str = "any"

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            hint = suggestion(self.policy, POLICIES)
            raise UsageError(f"The licence policy is {' or '.join(POLICIES)}, not {self.policy!r}.{hint}")
        for name, value in (("mirror", self.mirror), ("package index", self.index)):
            if value and (reason := refusal(Address(value, value))):
                raise UsageError(f"The {name} cannot be {public(value)!r}: {reason}.")

    @classmethod
    def from_environment(cls, **overrides: Any) -> Settings:
        """The settings of ``ZOO_OFFLINE``, ``ZOO_WEIGHTS_PATH`` (folders parted as in ``PATH``), ``ZOO_MIRROR``,
        ``ZOO_PYPI_INDEX`` (else pip's ``PIP_INDEX_URL`` where the zoo may use it) and ``ZOO_LICENSE_POLICY``; an
        override that is not None goes before its variable. Raises `UsageError` as the constructor does.
        """
        chosen = _environment(os.environ) | {name: value for name, value in overrides.items() if value is not None}
        return cls(**chosen)

    def addresses(self, url: str, setting: str = "") -> list[Address]:
        """Where `url` may be read from, in the order to try: its copy on the mirror, then itself.

        `setting` is the user's own address that led to `url`. A folder of a ``file:`` address means its index.html.
        Offline only ``file:`` addresses are left; raises `WeightsError` when there is none.
        """
        parts = urlsplit(url)
        addresses = [Address(url, setting)]
        if self.mirror and parts.scheme == "https":
            query = f"?{parts.query}" if parts.query else ""
            mirrored = f"{self.mirror.rstrip('/')}/{parts.netloc}{parts.path}{query}"
            addresses.insert(0, Address(mirrored, self.mirror))
        allowed = [_indexed(each) for each in addresses if not self.offline or each.url.startswith("file:")]
        if not allowed:
            raise WeightsError("offline")
        return allowed


def _environment(variables: Mapping[str, str]) -> dict[str, Any]:
    folders = variables.get("ZOO_WEIGHTS_PATH", "").split(os.pathsep)
    return {
        "offline": variables.get("ZOO_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off"),
        "search": tuple(Path(folder).expanduser() for folder in folders if folder),
        "mirror": variables.get("ZOO_MIRROR", ""),
        "index": variables.get("ZOO_PYPI_INDEX") or _pip_index(variables),
        "policy": variables.get("ZOO_LICENSE_POLICY") or "any",
    }


def _pip_index(variables: Mapping[str, str]) -> str:
    """The index that pip is told to use: where the public one cannot be reached, it is the one that can."""
    index = variables.get("PIP_INDEX_URL", "")
    return index if index and not refusal(Address(index, index)) else PYPI


def refusal(address: Address) -> str:
    """Why the store will not read from `address`; empty where it will.

    The rule is https. Only what the user has set may be a ``file:`` address or plain http on this very machine, and
    only then may what it leads to be the same.
    """
    try:
        url, setting = urlsplit(address.url), urlsplit(address.setting)
        host = url.hostname or ""
    except ValueError as error:
        return f"it is no address ({error})"
    if url.username or url.password:
        return "it holds a name or a password, which would end up in messages and logs"
    if url.scheme == "https" and host:
        return ""
    if url.scheme == setting.scheme and (url.scheme == "file" or (url.scheme == "http" and _is_loopback(host))):
        return ""
    return "only https addresses are used"


def _indexed(address: Address) -> Address:
    is_folder = address.url.startswith("file:") and address.url.endswith("/")
    return Address(f"{address.url}index.html", address.setting) if is_folder else address


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def public(url: str) -> str:
    """`url` for messages: without a name and a password that it may hold."""
    head, mark, tail = url.partition("://")
    place, slash, rest = tail.partition("/")
    return f"{head}{mark}{place.rpartition('@')[2]}{slash}{rest}"
