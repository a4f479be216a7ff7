"""The listeners for information systems: plain HTTP on loopback, and mTLS with registered certificates."""

import ssl

from cryptography import x509

from gateway.configuration import Configuration
from gateway.information_systems import InformationSystems
from gateway.parts import Parts
from service_runtime.connections import Limits
from service_runtime.keys import load_passphrase
from service_runtime.serving import Listener
from service_runtime.tls import Identity, registered_clients_context, trust


class InformationSystemListeners:
    """Those of the two listeners that the settings ask for; the one with TLS learns of new certificates as it goes."""

    def __init__(self, parts: Parts) -> None:
        self.listeners: list[Listener] = []
        self._context: ssl.SSLContext | None = None
        settings = parts.settings.listeners
        plain, tls = settings.information_systems_http, settings.information_systems_https
        limits = Limits(max_head_bytes=parts.settings.limits.max_head_bytes)
        if plain.enabled:
            self.listeners.append(
                Listener(
                    InformationSystems(parts, certificate_required=False),
                    plain.host,
                    plain.port,
                    name="information systems (HTTP)",
                    setting="listeners.information_systems_http.port",
                    limits=limits,
                    date_header=False,
                )
            )
        if tls.certificate is not None and tls.key is not None:
            identity = Identity(tls.certificate, tls.key, load_passphrase(tls.passphrase_file))
            self._context = registered_clients_context(identity, _certificates(parts.configuration()))
            self.listeners.append(
                Listener(
                    InformationSystems(parts, certificate_required=True),
                    tls.host,
                    tls.port,
                    name="information systems (HTTPS)",
                    setting="listeners.information_systems_https.port",
                    ssl_context=self._context,
                    limits=limits,
                    date_header=False,
                )
            )

    def take_over(self, configuration: Configuration) -> None:
        """Let newly registered certificates in. Those no longer registered are refused at each request."""
        if self._context is not None:
            trust(self._context, _certificates(configuration))


def _certificates(configuration: Configuration) -> list[x509.Certificate]:
    return [x509.load_der_x509_certificate(each.certificate) for each in configuration.information_systems.values()]
