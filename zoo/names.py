"""Names of files that are written: relative, never outside their folder, and each given out once."""

from __future__ import annotations

import re


def relative(text: str) -> str:
    """A path in any notation as a relative one with forward slashes: what points upwards or to a root is taken out."""
    parts = [re.sub(r'[\x00-\x1f<>:"|?*]', "_", part) for part in re.split(r"[\\/]+", text)]
    return "/".join(part for part in parts if part not in ("", ".", "..")) or "unnamed"


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
