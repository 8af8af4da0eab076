"""What a run says of itself while it goes on: a line of JSON for every so many steps, and the same for TensorBoard."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from zoo.errors import RuntimeMissingError

LOG = "log.jsonl"
"""The file of a run folder with a line for every so many steps, every epoch and every judgement."""

BOARD = "tensorboard"
"""The folder of a run folder that TensorBoard reads."""


class Log:
    """The log in `folder`. `silent`, as in all processes but the first, it says nothing; `board` asks for TensorBoard's
    too, for which `RuntimeMissingError` is raised where tensorboardX is not installed."""

    def __init__(self, folder: Path, silent: bool = False, board: bool = False) -> None:
        self.path, self.silent = folder / LOG, silent
        self._board: Any = _Board(folder / BOARD) if board and not silent else None

    @property
    def length(self) -> int:
        """Of the file, in bytes; 0 where there is none."""
        return self.path.stat().st_size if self.path.exists() else 0

    def add(self, record: dict[str, Any]) -> None:
        """Write a line. All but ``epoch`` and ``step`` are figures."""
        if self.silent:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        if self._board:
            self._board.add(record)

    def cut(self, length: int, step: int) -> None:
        """Take back what was written beyond `length` bytes, which is beyond the step `step`."""
        if self.silent or not self.path.exists():
            return
        with self.path.open("r+b") as file:
            file.truncate(length)
        if self._board:
            self._board.begin = step + 1

    def close(self) -> None:
        """Nothing more will come."""
        if self._board:
            self._board.close()


class _Board:
    """TensorBoard's log, opened when there is something to write. Figures that an earlier run wrote of steps from
    `begin` on are taken back.

    It is written by tensorboardX, because torch's own writer takes seconds to import TensorFlow where that is there.
    """

    def __init__(self, folder: Path) -> None:
        if find_spec("tensorboardX") is None:
            raise RuntimeMissingError(
                "Writing TensorBoard's log needs tensorboardX, which is not installed: pip install tensorboardX, or"
                " leave tensorboard=true out; log.jsonl says the same."
            )
        self.folder, self.begin = folder, 0
        self._writer: Any = None

    def add(self, record: dict[str, Any]) -> None:
        if self._writer is None:
            from tensorboardX import SummaryWriter

            self._writer = SummaryWriter(str(self.folder), purge_step=self.begin or None)
        for name, value in record.items():
            if name not in ("epoch", "step"):
                self._writer.add_scalar(name, value, record["step"])

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
