"""What a run leaves in its folder, but for what it goes on from: weights, curves, the evaluation and a model card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from zoo import images, receipts
from zoo.files import atomic_write, replacing
from zoo.inference.artifacts import TRAINED
from zoo.plugins import catalogue, resolve
from zoo.specs import Metric, ModelCard, to_json
from zoo.training import curves
from zoo.training.judging import EVALUATION, Judge, metric
from zoo.training.log import LOG

CONFIG, CURVES, LAST, README = "config.json", "curves.png", "last.pth", "README.md"
BEST = TRAINED

WEIGHTS = "torch"
"""The model format that trained weights are written in."""


def write_weights(path: Path, network: nn.Module, card: ModelCard) -> None:
    """Write the weights of `network` with its `card` inside, at once or not at all."""
    import torch

    state = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
    with replacing(path) as temporary:
        with temporary.open("wb") as file:  # given a path, torch would write the file's name into it
            torch.save({"state_dict": state, "meta": {}}, file)
        _write_card(temporary, card)


def _write_card(path: Path, card: ModelCard) -> None:
    resolve(catalogue().formats[WEIGHTS].write_card)(path, json.dumps(to_json(card)))


@dataclass(frozen=True)
class Ending:
    """A run that is over, in `folder`: the `card` of its model, its `config` as ``config.json`` has it, and who judges
    it, if anybody does."""

    folder: Path
    card: ModelCard
    config: Mapping[str, Any]
    judge: Judge | None

    def keep(self, name: str, network: nn.Module) -> None:
        """Write the weights ``last`` or ``best``, and the configuration that they were learnt by."""
        atomic_write(self.folder / CONFIG, json.dumps(self.config, indent=2) + "\n")
        write_weights(self.folder / f"{name}.pth", network, self.card)

    def draw(self) -> None:
        """Draw the curves, where an epoch has ended."""
        records = curves.read(self.folder / LOG)
        if curves.means(records):
            atomic_write(self.folder / CURVES, images.encode(curves.draw(records), ".png"))

    def evaluate(self) -> tuple[str, ...]:
        """Judge the best weights and write the evaluation, the model card, and the figures into the card inside the
        weights: what there is to tell, a line each."""
        best, lines = self.folder / BEST, list[str]()
        figures: tuple[Metric, ...] = ()
        if self.judge is not None:
            judged = self.judge.report(best, self.folder / EVALUATION, self.card.id)
            figures, lines = (metric(judged, "judged after training"),), [*judged.verdict.lines()]
            _write_card(best, replace(self.card, metrics=figures))
        atomic_write(self.folder / README, readme(self.card, self.config, figures, lines))
        return tuple(lines)

    @property
    def outputs(self) -> tuple[Path, ...]:
        """What is there of the files and folders that a run leaves."""
        names = (CONFIG, LOG, CURVES, LAST, BEST, EVALUATION, README)
        return tuple(self.folder / name for name in names if (self.folder / name).exists())


def readme(card: ModelCard, config: Mapping[str, Any], figures: tuple[Metric, ...], lines: list[str]) -> str:
    """The model card for people, in Markdown."""
    recipe, network = config["recipe"], config["network"]
    departing = "".join(f", {name} {_shown(value)}" for name, value in network["departing"].items())
    rows = {
        "Labelled set": ", ".join(config["inputs"]),
        "Began with": config["begun"] or "random weights",
        "Configuration": config["options"].get("upstream") or "the method's own recipe",
        "Recipe": f"{recipe['epochs']} epochs, {recipe['batch']} images of {recipe['side']}x{recipe['side']} a step",
        "Optimiser": ", ".join(f"{name} {value:g}" for name, value in recipe["optimiser"].items()),
        "Schedule": ", ".join(f"{name} {_shown(value)}" for name, value in recipe["schedule"].items()),
        "Augmentation": ", ".join(step["step"] for step in recipe["augmentation"]),
        "Numbers": recipe["precision"] + (f", averaged with {recipe['ema']:g}" if recipe["ema"] else ""),
        "Seed": recipe["seed"],
        "Parameters": f"{card.parameters:,}",
        "Multiply-accumulates": f"{network['macs'] / 1e6:,.1f} M at {network['side']}x{network['side']}",
        "Versions": ", ".join(f"{name} {version}" for name, version in receipts.versions().items()),
    }
    licences = {name: licence["name"] for name, licence in to_json(card)["licences"].items()}
    table = "\n".join(f"| {name} | {_plain(str(value))} |" for name, value in rows.items())
    return f"""# {card.id}

{card.summary} Method: {card.method}; architecture: {card.architecture}{departing}.

```
zoo run {card.method} infer photo.jpg --model {BEST}
zoo run {card.method} export . format=onnx,tflite,cpp --out exported
```

## How it was trained

| | |
|---|---|
{table}

All numbers are in `{CONFIG}`, the losses in `{LOG}`.

![Loss]({CURVES})

## How good it is

{_judged(card.method, figures, lines)}

## Licences

Of the code: {licences["code"]}; of the weights it began with: {licences["weights"]}; of the data: {licences["data"]}.
"""


def _judged(method: str, figures: tuple[Metric, ...], lines: list[str]) -> str:
    if not figures:
        return f"Nobody has judged it: `val=SET` does, or `zoo run {method} eval SET --model {BEST}`."
    told = "\n".join(lines)
    picture = f"![Precision over recall]({EVALUATION}/pr.png)"
    return f"On {figures[0].dataset}, by the protocol {figures[0].protocol}:\n\n```\n{told}\n```\n\n{picture}"


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_shown, value)) or "none"
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _plain(text: str) -> str:
    """Without what would end a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")
