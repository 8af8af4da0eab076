"""Keys of samples as names of archive members, and back.

A key whose name would be read differently (a dot in its last part, at which the suffix begins), or which would be
unsafe to extract for a program that does, is percent-encoded; the true key then stands in the ``.json`` member. No two
keys become one name, because a key with a percent sign is encoded, too.
"""

from __future__ import annotations

import re
from urllib.parse import quote

_FORBIDDEN = r"%\\:*?\"<>|\x00-\x1f\x7f\ud800-\udfff"
_SAFE = re.compile(rf"(?!\.{{1,2}}/)(?:[^/{_FORBIDDEN}]+/(?!\.{{1,2}}/))*[^/.{_FORBIDDEN}]+")


def member_name(key: str) -> str:
    """The name, without suffix, under which the members of the sample `key` stand in the archive."""
    if _SAFE.fullmatch(key):
        return key
    return quote(key, safe="", errors="surrogatepass").replace(".", "%2E").replace("~", "%7E") or "%"
