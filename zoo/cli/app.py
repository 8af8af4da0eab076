"""The group of all commands, each imported when it is called, and what becomes of an error."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, TypeAlias

import click

from zoo import __version__
from zoo.errors import FAILED, ZooError, suggestion

COMMANDS = {
    "run": ("zoo.cli.run:run", "Run a task of a plugin: zoo run yunet infer photo.jpg"),
    "eval": ("zoo.cli.eval:eval_", "Judge a model, or predictions, on a labelled set."),
    "convert": ("zoo.cli.convert:convert", "Convert a data set or a model to another format."),
    "inspect": ("zoo.cli.inspect:inspect", "Say what a data set or a model is and what is in it."),
    "verify": ("zoo.cli.models:verify", "Check an output against its receipt, byte for byte and as a model."),
    "explain": ("zoo.cli.models:explain", "Tell where an output comes from."),
    "list": ("zoo.cli.catalogue:list_", "List models, plugins, runtimes, formats and more."),
    "info": ("zoo.cli.catalogue:info", "Tell everything about a model or a plugin."),
    "search": ("zoo.cli.catalogue:search", "Find models by words in their cards."),
    "fetch": ("zoo.cli.weights:fetch", "Fetch the weights of models, verified, with their licences."),
    "weights": ("zoo.cli.weights:weights", "Add, find, verify and prune files of weights."),
    "doctor": ("zoo.cli.doctor:doctor", "Check the installation and say what to do."),
    "completion": ("zoo.cli.completion:completion", "Print the completion script of a shell."),
}
INTERRUPTED = 130


_Resolved: TypeAlias = tuple[str | None, click.Command | None, list[str]]


class SuggestingGroup(click.Group):
    """A group that answers a mistyped command with the nearest one."""

    what = "command"

    def resolve_command(self, ctx: click.Context, args: list[str]) -> _Resolved:
        """Find the command that `args` begin with, as click does; an unknown one is a usage error with a suggestion."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            known = self.list_commands(ctx)
            ctx.fail(f"There is no {self.what} {args[0]!r}.{suggestion(args[0], known)} Known: {', '.join(known)}.")
        return super().resolve_command(ctx, args)


class Zoo(SuggestingGroup):
    """The command ``zoo``; its commands are imported by need."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands from the table, so that help imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=Zoo,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example:  zoo run retinaface infer sample:t1",
)
@click.version_option(__version__, prog_name="zoo", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def zoo(debug: bool) -> None:
    """Face-analysis models and data sets under one roof: find, run, convert, judge and train
    models, look at and convert data sets."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; every error becomes one sentence on stderr."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = ["--debug"] * debug + [word for word in words if word != "--debug"]
    try:
        result: Any = zoo.main(args=words, prog_name="zoo", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        place = getattr(error, "ctx", None)
        hint = f" See `{place.command_path} --help`." if place else ""
        return _say(f"Error: {error.format_message()}{hint}", error.exit_code)
    except (KeyboardInterrupt, click.Abort) as error:
        more = str(error.__cause__ or error)  # click raises its own from what a command raised
        return _say(f"Interrupted{'; ' if more else ''}{more}.", INTERRUPTED)
    except BrokenPipeError:
        return _quit_silently()
    except ZooError as error:
        return _fail(str(error), error.exit_code, debug)
    except Exception as error:
        said = " ".join(str(error).split())
        return _fail(
            f"Unexpected {type(error).__name__}: {said} (a defect of the zoo or of a plugin; --debug shows where).",
            FAILED,
            debug,
        )


def _fail(sentence: str, code: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    return _say(f"Error: {sentence}", code)


def _say(sentence: str, code: int) -> int:
    click.echo(sentence, err=True)
    return code


def _quit_silently() -> int:
    """The reader of our output went away (``zoo list | head``): end without a complaint."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED
