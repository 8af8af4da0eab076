"""Names of files that are written: relative, never outside their folder, and each given out once."""

from __future__ import annotations

import hashlib
import re
import unicodedata


def relative(text: str) -> str:
    """A path in any notation as a relative one with forward slashes: what points upwards or to a root is taken out."""
    if _RELATIVE.fullmatch(text):
        return text
    parts = [re.sub(r'[\x00-\x1f<>:"|?*]', "_", part) for part in re.split(r"[\\/]+", text)]
    return "/".join(part for part in parts if part not in ("", ".", "..")) or "unnamed"


_RELATIVE = re.compile(
    r'(?:[^\x00-\x1f<>:"|?*\\/.][^\x00-\x1f<>:"|?*\\/]*/)*[^\x00-\x1f<>:"|?*\\/.][^\x00-\x1f<>:"|?*\\/]*'
)
"""What `relative` leaves as it is, without parts that begin with a dot: nearly every path."""

_PLAIN = re.compile(r"(?!con|prn|aux|nul|com|lpt)[a-z0-9_][a-z0-9_-]{0,119}", re.ASCII | re.IGNORECASE)
"""What `single` leaves as it is, as is quick to see."""

_UNFIT = re.compile(r'[\x00-\x1f\x7f<>:"|?*/\\\ud800-\udfff]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
_HASHED = re.compile(r"~[0-9a-f]{12}$")
_LONGEST = 120
_DEEPEST = 8


def single(text: str) -> str:
    """`text` as the name of one file or folder, the same wherever and whenever it is asked for.

    It is `text` itself when every system can have a file of that name. Otherwise what does not fit is replaced, and a
    hash of `text` is appended, so that different texts keep different names. A name has at most 133 bytes in UTF-8.
    """
    if _PLAIN.fullmatch(text):
        return text
    name = _UNFIT.sub("_", text).lstrip(".").rstrip(" .")
    if _RESERVED.match(name):
        name = f"_{name}"
    name = name.encode()[:_LONGEST].decode(errors="ignore")
    if name and name == text and not _HASHED.search(name):
        return name
    return f"{name}~{_hash(text)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def folded(text: str) -> str:
    """What two names have in common that are one on some disks: those of macOS and Windows take no notice of case, and
    macOS none of how letters with accents are put together."""
    return text if text.isascii() and text.islower() else unicodedata.normalize("NFC", text).casefold()


def apart(text: str) -> str:
    """`text` as the name of one file or folder, as `single`, that no other text gets on any disk: one that is not as
    `folded` leaves it has the hash of `text` behind it."""
    name = single(text)
    return name if name == folded(name) or name != text else f"{name}~{_hash(text)}"


def original(name: str) -> str:
    """The text to which only a hash was appended to make `name` of it; `name` itself when that is not how it came
    about."""
    text, _, digits = name.rpartition("~")
    return text if text and _HASHED.search(name) and digits == _hash(text) else name


def flat(key: str) -> str:
    """The key of a sample as the name of one file, without a suffix: ``a/b`` becomes ``a__b``."""
    return single(key.replace("/", "__"))


def nested(key: str) -> str:
    """The key of a sample as a relative path without a suffix, each part as `single`; of very deep ones as `flat`."""
    parts = key.split("/")
    return "/".join(single(part) for part in parts) if len(parts) <= _DEEPEST else flat(key)


class Names:
    """Gives every name out once; a second asker gets ``name-2.jpg``, the next ``name-3.jpg``.

    Names that differ only in case count as the same, as they are on the disks of macOS and Windows. Only a 64-bit hash
    of each name is kept.
    """

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def unique(self, name: str) -> str:
        """`name`, or the first free variant of it."""
        folder, slash, base = name.rpartition("/")
        stem, dot, suffix = base.rpartition(".") if "." in base[1:] else (base, "", "")
        number, candidate = 1, name
        while (key := hash(candidate.casefold())) in self._taken:
            number += 1
            candidate = f"{folder}{slash}{stem}-{number}{dot}{suffix}"
        self._taken.add(key)
        return candidate
