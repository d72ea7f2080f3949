"""`python -m app`: finds the verb, runs it, and turns errors into one line and an exit code.

0 done; 1 failed, with one plain line on standard error; 2 wrong usage or input.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click
from redis.exceptions import RedisError
from sqlalchemy.exc import OperationalError

from app.cli import COMMANDS
from app.errors import InvalidInput, WatchfloorError


class Verbs(click.Group):
    """The verbs of COMMANDS, imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every verb, in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of one verb."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
def app() -> None:
    """Watchfloor: analytics for network operations centres."""


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; answers the exit code."""
    try:
        code = app.main(arguments, prog_name="python -m app", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt, WatchfloorError, OperationalError, RedisError) as error:
        click.echo("error: " + " ".join(_plain(error).split()), err=True)
        return 2 if isinstance(error, InvalidInput) else 1
    return code if isinstance(code, int) else 0


def _plain(error: BaseException) -> str:
    if isinstance(error, OperationalError):
        return f"the database does not answer: {error.orig}; try `python -m app doctor`"
    if isinstance(error, RedisError):
        return f"Valkey does not answer: {error}; try `python -m app doctor`"
    return str(error) if isinstance(error, WatchfloorError) else "interrupted"


if __name__ == "__main__":
    sys.exit(main())
