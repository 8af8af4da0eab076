"""What is known of a set before its images are read: how many records are images, and their names."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from zoo import safepickle
from zoo.errors import InputError
from zoo_recordio.files import Files
from zoo_recordio.lists import NameList
from zoo_recordio.options import ReadOptions
from zoo_recordio.records import RecordError, Records
from zoo_recordio.rows import Index, Rows, Scan, Survey

_META_MOST = 1 << 24
_PROPERTY_MOST = 1 << 12


class Contents:
    """The contents of a set. Raises `InputError` on use when its file is no RecordIO file, or when its index does not
    fit and is to be trusted."""

    def __init__(self, files: Files, options: ReadOptions) -> None:
        self.files, self._options = files, options

    @property
    def rows(self) -> Rows:
        """The records."""
        return self._surveyed[0]

    @property
    def survey(self) -> Survey:
        """What a walk over the rows has shown."""
        return self._surveyed[1]

    @property
    def names(self) -> NameList | None:
        """The names of the images, where there is one for each."""
        return self._listed[0]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What people should know: why there are more records than images, and what is odd."""
        survey = self.survey
        found: dict[str, Any] = {"images": survey.images, "records": survey.records, "header": "none"}
        if survey.identities:
            first, stop = survey.identities
            found["identities"] = stop - first
            found["header"] = (
                f"{survey.records:,} records are {first - 1:,} images, {stop - first:,} identities"
                f" (records {first:,} to {stop - 1:,}) and the header (record 0); only images are samples"
            )
        found |= {"index": self._surveyed[2]} | self._property() | self._meta()
        if self._listed[1]:
            found["list"] = self._listed[1]
        if survey.oddities:
            found["oddities"] = list(survey.oddities)
        return found

    @cached_property
    def _surveyed(self) -> tuple[Rows, Survey, str]:
        """The rows, what they show, and where they are from: the index, unless it is missing or wrong."""
        rec, idx, wanted = self.files.rec, self.files.idx, self._options.index
        if wanted == "scan":
            return self._scanned("left aside as asked")
        if not idx.is_file():
            return self._scanned(f"there is no {idx.name}")
        index = Index(idx, rec)
        try:
            return index, index.survey(trust=wanted == "trust"), idx.name
        except InputError as error:
            if wanted == "trust":
                raise InputError(f"{error}; index=scan does without it.") from None
            return self._scanned(f"wrong: {str(error).rstrip('.')}")

    def _scanned(self, why: str) -> tuple[Rows, Survey, str]:
        scan = Scan(self.files.rec)
        survey = scan.survey()
        if survey.records == survey.unreadable > 0:
            self._refuse()
        return scan, survey, f"{why}; rebuilt by scanning {self.files.rec.name}"

    def _refuse(self) -> None:
        """Raise `InputError`: not one record can be read."""
        with Records(self.files.rec) as records:
            try:
                records.peek(0)
            except RecordError as error:
                raise InputError(f"{self.files.rec} is no RecordIO file: {error} (byte 0).") from None

    @cached_property
    def _listed(self) -> tuple[NameList | None, str]:
        """The names, and what is to be said of them."""
        if not self._options.lst or not self.files.lst.is_file():
            return None, ""
        try:
            names = NameList(self.files.lst)
            count = names.count()
            self._require_same_order(names)
        except InputError as error:
            return None, f"not used: {error}"
        if count != self.survey.images:
            return None, f"not used: {names.path.name} has {count:,} lines for {self.survey.images:,} images"
        return names, f"{names.path.name}, columns as {names.order} has them"

    def _require_same_order(self, names: NameList) -> None:
        """Raise `InputError` when the first line is of another image than the first row."""
        keys = (key for _, keys, _ in self.rows.blocks() for key in keys if self.rows.is_image(key))
        lines = names.lines([0, 0])
        for key, line in zip(keys, lines, strict=False):
            names.name(line, key)
            return

    def _property(self) -> dict[str, Any]:
        """The first line of ``property``; the Python package and the shuffler write further ones."""
        try:
            with self.files.property.open("rb") as stream:
                lines = stream.read(_PROPERTY_MOST).decode("utf-8", "replace").splitlines()
            classes, height, width = (int(text) for text in lines[0].split(","))
        except (OSError, ValueError, IndexError):
            return {}
        return {"classes": classes, "size": f"{width}x{height}", "property": lines}

    def _meta(self) -> dict[str, Any]:
        """What ``train.meta`` says: it repeats the labels."""
        meta = self.files.meta
        if not meta.is_file():
            return {}
        if (size := meta.stat().st_size) > _META_MOST:
            return {"meta": f"{meta.name} has {size:,} bytes and was not read: it repeats the labels"}
        try:
            entries = safepickle.load(meta.read_bytes(), str(meta))
        except (InputError, OSError) as error:
            return {"meta": f"not used: {error}"}
        return {"meta": f"{meta.name} lists {len(entries) if isinstance(entries, list) else 0:,} images"}
