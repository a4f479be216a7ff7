"""`xacbe ocsp`: the certificate-status responder."""

from pathlib import Path

import click


@click.group()
def ocsp() -> None:
    """Run the certificate-status responder (OCSP, RFC 6960).

    It answers whether a certificate is good, revoked or unknown, from the status feed that the registry signs.
    """


@ocsp.command()
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The settings file; config/ocsp.toml is a commented example.",
)
def serve(config: Path) -> None:
    """Answer status requests until stopped with Ctrl-C or SIGTERM.

    Every setting can be overridden by an environment variable, for example XACBE_OCSP__LISTEN__PORT=8888.
    """
    # Imported here, so that help works in the light install.
    from ocsp.process import serve_ocsp
    from ocsp.settings import ENVIRONMENT_PREFIX, OcspSettings
    from service_runtime.settings import load_settings

    serve_ocsp(load_settings(OcspSettings, config, prefix=ENVIRONMENT_PREFIX))
