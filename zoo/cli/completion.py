"""``zoo completion``: the script that teaches a shell to complete the zoo's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command(epilog='Example:  eval "$(zoo completion bash)"')
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL; put it where your shell reads such scripts, or evaluate it."""
    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"click has no completion for {shell}.")
    click.echo(made(ctx.find_root().command, {}, "zoo", "_ZOO_COMPLETE").source())
