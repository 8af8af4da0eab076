"""``zoo fetch`` and ``zoo weights``: the files of weights on this machine."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from zoo.catalogue import Catalogue
from zoo.cli.output import Bar, installed, json_option, print_json, print_table
from zoo.errors import FAILED
from zoo.registry import pick_weights
from zoo.specs import WeightFile

offline_option = click.option("--offline", is_flag=True, default=None, help="Never touch the network.")
policy_option = click.option("--license-policy", type=click.Choice(["any", "commercial"]), help="Refuse other weights.")
all_option = click.option("--all-files", is_flag=True, help="Every file of the card, not only the one that is run.")


def _store(bar: Bar, **settings: Any) -> Any:
    from zoo.weights import Settings, WeightStore

    return WeightStore(Settings.from_environment(**settings), bar, bar.note)


def _files(found: Catalogue, model: str, all_files: bool) -> list[WeightFile]:
    """The files of a model that are meant: the one that an installed runtime executes, or all that can be fetched."""
    card = found.cards[model]
    if all_files:
        return [file for file in card.weights if file.sources]
    formats = {name for runtime in found.runtimes for name in found.runtimes[runtime].formats}
    return [pick_weights(card, sorted(formats))]


@click.command(epilog="Example:  zoo fetch yunet_n scrfd_500m_bnkps")
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@all_option
@offline_option
@policy_option
@json_option
def fetch(
    models: tuple[str, ...], all_files: bool, offline: bool | None, license_policy: str | None, as_json: bool
) -> None:
    """Fetch the weights of models (or sample:ID) into the cache, verified by SHA-256, telling their licences."""
    found = installed()
    rows: list[dict[str, Any]] = []
    with contextlib.closing(Bar()) as bar:
        store = _store(bar, offline=offline, policy=license_policy)
        for model in models:
            for owner, file, licences in _wanted(found, model, all_files):
                path = store.path(file, owner=owner, licences=licences)
                rows.append({"model": model, "file": file.name, "sha256": file.sha256, "path": str(path)})
    _print_rows(rows, as_json)


def _wanted(found: Catalogue, name: str, all_files: bool) -> list[tuple[str, WeightFile, Any]]:
    if name.startswith("sample:"):
        sample = found.samples[name.removeprefix("sample:")]
        return [(sample.id, sample.file, sample.licence)]
    return [(name, file, found.cards[name].licences) for file in _files(found, name, all_files)]


def _print_rows(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(rows)
    elif rows:
        print_table(list(rows[0]), [list(row.values()) for row in rows])


@click.group(epilog="Example:  zoo weights add SCRFD_10G.onnx --as scrfd_10g")
def weights() -> None:
    """The files of weights on this machine: add your own, find them, verify them, remove what nobody needs."""


@weights.command(epilog="Example:  zoo weights add SCRFD_10G.onnx --as scrfd_10g")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "as_model", metavar="MODEL", default="", help="The model whose weights these are.")
@click.option("--file", "as_file", metavar="NAME", default="", help="Which file of the model's card it is.")
@click.option("--replace", is_flag=True, help="Take this file where another one was recorded before.")
@json_option
def add(file: Path, as_model: str, as_file: str, replace: bool, as_json: bool) -> None:
    """Take FILE into the cache. A file that a card knows is recognised by its hash; one whose hash nobody publishes
    needs --as MODEL, and its hash is recorded from then on."""
    found = installed()
    with contextlib.closing(Bar()) as bar:
        added = _store(bar).add(file, dict(found.cards), as_model, as_file, replace)
    if as_json:
        print_json({**asdict(added), "path": str(added.path)})
    else:
        click.echo(added.message)


@weights.command(epilog="Example:  zoo weights path yunet_n")
@click.argument("model")
@all_option
@json_option
@click.pass_context
def path(ctx: click.Context, model: str, all_files: bool, as_json: bool) -> None:
    """Print where the weights of MODEL lie on this machine. Exit code 1 when they are not here; nothing is fetched."""
    found = installed()
    with contextlib.closing(Bar()) as bar:
        store = _store(bar, offline=True)
        paths = [str(p) for owner, file, _ in _wanted(found, model, all_files) if (p := store.find(file, owner))]
    if as_json:
        print_json(paths)
    for line in [] if as_json else paths:
        click.echo(line)
    if not paths:
        click.echo(f"No weights of {model} are on this machine; get them with `zoo fetch {model}`.", err=True)
        ctx.exit(FAILED)


@weights.command(epilog="Example:  zoo weights verify --json")
@json_option
@click.pass_context
def verify(ctx: click.Context, as_json: bool) -> None:
    """Hash every file of the cache anew and compare. Exit code 1 when one is not what it should be."""
    with contextlib.closing(Bar()) as bar:
        checked = _store(bar).verify()
    if as_json:
        print_json(asdict(checked))
    else:
        click.echo(f"{checked.files} {'file' if checked.files == 1 else 'files'} hashed, {len(checked.problems)} wrong")
    for problem in checked.problems:
        click.echo(f"{problem.path}: {problem.why}", err=True)
    if checked.problems:
        ctx.exit(FAILED)


@weights.command(epilog="Example:  zoo weights prune --dry-run")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
def prune(dry_run: bool, as_json: bool) -> None:
    """Remove what no installed card names, and what dead downloads have left. Files that you brought stay."""
    found = installed()
    keep = [file for name in found.cards for file in found.cards[name].weights]
    keep += [found.samples[name].file for name in found.samples]
    with contextlib.closing(Bar()) as bar:
        pruned = _store(bar).prune(keep, dry_run)
    if as_json:
        print_json(asdict(pruned))
        return
    for removed in pruned.removed:
        click.echo(removed)
    word = "would be removed" if dry_run else "removed"
    click.echo(f"{len(pruned.removed)} {word} ({pruned.size / 1e6:.1f} MB), {pruned.kept} kept")
