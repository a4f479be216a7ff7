"""The `xacbe` command: its sub-commands by name, imported only when one of them runs.

The light install has no server packages, so `xacbe --help`, `xacbe estamp` and `xacbe call` must not import any.
"""

import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple

import click

from xacbe.failures import report


class SubCommand(NamedTuple):
    """Where a sub-command lives, and what the overview says of it."""

    module: str
    summary: str


SUB_COMMANDS = {
    "demo": SubCommand("xacbe.demo", "Start a whole instance on this machine and make a call through it."),
    "call": SubCommand("xacbe.call", "Call a peer's service through your gateway."),
    "estamp": SubCommand("xacbe.estamp", "Verify or read evidence (.asice files), offline."),
    "gateway": SubCommand("xacbe.gateway", "Set up and run a member's gateway (security server)."),
    "registry": SubCommand("xacbe.registry", "Run the instance: members, certificates, catalogue."),
    "tsa": SubCommand("xacbe.tsa", "Run the time-stamping authority."),
    "ocsp": SubCommand("xacbe.ocsp", "Run the certificate-status responder."),
}
"""The sub-commands, in the order of the overview; a module holds its command under the sub-command's name."""


class LazyGroup(click.Group):
    """A group that knows its sub-commands' names and summaries without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the sub-commands."""
        return list(SUB_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a sub-command; raises ModuleNotFoundError when its server packages are not installed."""
        if cmd_name not in SUB_COMMANDS:
            return None
        command = getattr(importlib.import_module(SUB_COMMANDS[cmd_name].module), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview from the summaries here, so that help imports nothing."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in SUB_COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="xacbe", message="%(prog)s %(version)s")
def cli() -> None:
    r"""Stamped, direct data exchange between public institutions.

    A member's gateway signs, timestamps and logs each message, so that either side can prove years later what was
    asked, what was answered, by whom and when. New here? Run `xacbe demo`.

    \b
    Data goes to stdout, words for people to stderr. Exit codes:
      0  done; what was to be verified is valid
      1  refused, failed, or not valid
      2  the command was written wrongly
      3  the environment is not ready: a file, a port, a package, a process that cannot be reached
      130  interrupted
    """


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; expected errors become a message on stderr, never a traceback."""
    try:
        result = cli.main(args, prog_name="xacbe", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except Exception as error:
        code = report(error)
        if code is None:
            raise
        return code
    return result if isinstance(result, int) else 0


def main() -> None:
    """Run the `xacbe` script and exit with its code."""
    sys.exit(run())
