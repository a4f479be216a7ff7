"""`xacbe tsa`: run the time-stamping authority."""

from pathlib import Path

import click


@click.group()
def tsa() -> None:
    """Run the time-stamping authority (RFC 3161), which says what existed when."""


@tsa.command()
@click.option(
    "--config",
    "config_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The settings file; config/tsa.toml is a commented example.",
)
def serve(config_file: Path) -> None:
    """Answer time-stamp requests until SIGTERM or Ctrl-C, which let requests in flight finish.

    Key and certificate come from files that the settings name. Logs go to stderr as JSON lines.
    """
    from service_runtime.logs import configure_logs
    from service_runtime.serving import run
    from tsa.service import run_service
    from tsa.settings import load_tsa_settings

    settings = load_tsa_settings(config_file)
    configure_logs("tsa", settings.log_level)
    run(run_service(settings))
