"""``zoo doctor``: what is in order, what is not, and what to do about it."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from typing import Any

import click

from zoo import __version__
from zoo.catalogue import Catalogue
from zoo.cli.output import json_option, print_json, print_table
from zoo.errors import FAILED
from zoo.files import cache_dir
from zoo.models.quiet import hushed
from zoo.plugins import catalogue, resolve
from zoo.specs import Health

LEAST_FREE = 1 << 30


@click.command(epilog="Example:  zoo doctor --json")
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check the installation: Python, plugins, runtimes, cache; each finding says what to do. Exit code 1 on errors."""
    found = catalogue()
    findings = [*_own(found), *_contributed(found)]
    if as_json:
        print_json([vars(finding) for finding in findings])
    else:
        print_table(
            ("check", "state", "finding", "what to do"), [tuple(vars(finding).values()) for finding in findings]
        )
    if any(finding.status == "error" for finding in findings):
        ctx.exit(FAILED)


def _own(found: Catalogue) -> Iterator[Health]:
    yield Health("zoo", "ok", f"{__version__} on Python {platform.python_version()}, {platform.platform()}")
    yield Health("plugins", "ok", f"{len(found.plugins)} installed, {len(found.cards)} models")
    for problem in found.problems:
        yield Health("plugins", "error", problem.sentence, "update or uninstall it; zoo info NAME shows the traceback")
    yield _cache()


def _cache() -> Health:
    folder = cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Health("cache", "error", f"{folder}: {error.strerror}", "set ZOO_CACHE to a folder you may write to")
    detail = f"{folder}, {free / 1e9:.1f} GB free"
    if free < LEAST_FREE:
        return Health("cache", "warning", detail, "free some space, or set ZOO_CACHE to another disk")
    return Health("cache", "ok", detail)


def _contributed(found: Catalogue) -> Iterator[Health]:
    for name in found.checks:
        try:
            with hushed():  # the frameworks' own complaints: what matters of them is in the finding
                result: Any = resolve(found.checks[name].run)()
            yield from [result] if isinstance(result, Health) else list(result)
        except Exception as error:  # a check is a plugin's code: one that breaks is a finding
            yield Health(name, "error", f"the check itself failed: {error}", "update or uninstall its plugin")
