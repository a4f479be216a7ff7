"""TLS contexts for listeners and clients: explicit trust only, no session resumption.

A resumed session would present its peer's certificate without a new check of the chain, so neither tickets nor caches
are used. Trust is what the caller names: the system's certificate authorities are never loaded.
"""

import hashlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service_runtime.errors import TlsError
from service_runtime.keys import load_private_key

# TLS 1.2 only with forward secrecy and authenticated encryption; TLS 1.3 has nothing else.
_TLS12_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are in TLS: the files of a certificate chain (PEM, leaf first) and its private key (PEM, mode 0600)."""

    certificates: Path
    key: Path
    passphrase: bytes | None = None


def server_context(
    identity: Identity,
    *,
    client_cas: Sequence[x509.Certificate] = (),
    client_certificates: Sequence[x509.Certificate] = (),
    require_client: bool = True,
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> ssl.SSLContext:
    """The context of a listener.

    Clients show a certificate when `client_cas` (authorities that issue them) or `client_certificates` (single ones,
    self-signed or not, trusted as they are) are given; `require_client` says whether one that shows none is refused.
    The application still compares the certificate that it finds in the scope with the ones it knows.

    TLS 1.3 is the minimum; `minimum` may lower it to TLS 1.2 where no client certificates are asked for (Python's ssl
    cannot switch TLS 1.2's session cache off). Raises TlsError ``certificate-file-unreadable``,
    ``certificate-key-mismatch`` or ``tls-version``; KeyFileError for the key's file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _restrict(context, minimum)
    context.num_tickets = 0
    _load_identity(context, identity)
    if client_cas or client_certificates:
        if minimum < ssl.TLSVersion.TLSv1_3:
            raise TlsError(
                "tls-version", "Client certificates are only asked for with TLS 1.3.", "Set the minimum to TLS 1.3."
            )
        context.verify_mode = ssl.CERT_REQUIRED if require_client else ssl.CERT_OPTIONAL
        _trust(context, client_cas)
        _trust(context, client_certificates)
        if client_certificates:
            # Lets a certificate that is not a self-signed authority end a chain.
            context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    return context


def client_context(
    *,
    server_cas: Sequence[x509.Certificate] = (),
    server_certificates: Sequence[x509.Certificate] = (),
    identity: Identity | None = None,
    check_hostname: bool = True,
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> ssl.SSLContext:
    """The context of a client that trusts `server_cas` and the single `server_certificates`, and nothing else.

    `identity` is shown to servers that ask. Gateways carry no host names in their certificates: between them,
    `check_hostname` is False and the caller compares the certificate with the catalogue. Raises what `server_context`
    raises.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = check_hostname
    _restrict(context, minimum)
    if identity is not None:
        _load_identity(context, identity)
    _trust(context, server_cas)
    _trust(context, server_certificates)
    if server_certificates:
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    return context


def registered_clients_context(identity: Identity, certificates: Sequence[x509.Certificate]) -> ssl.SSLContext:
    """The context of a listener whose clients are registered one by one, also while it listens (:func:`trust`).

    A client may show no certificate: then the application can tell it what is missing, which a broken handshake cannot.
    Raises what `server_context` raises.
    """
    context = server_context(identity)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    trust(context, certificates)
    return context


def trust(context: ssl.SSLContext, certificates: Sequence[x509.Certificate]) -> None:
    """Let new connections of a context in use trust these certificates too. Trust cannot be taken back here."""
    _trust(context, certificates)


def pin(context: ssl.SSLContext, fingerprints: frozenset[str]) -> None:
    """Let a client's context accept only servers whose certificate has one of these SHA-256 fingerprints (hex).

    It is compared as the last step of the handshake, before the first byte of a message can leave; another certificate
    ends it with ssl.SSLCertVerificationError. For contexts used with asyncio.
    """

    class PinnedObject(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            shown = self.getpeercert(binary_form=True) or b""
            if hashlib.sha256(shown).hexdigest() not in fingerprints:
                raise ssl.SSLCertVerificationError("the server showed another certificate than the one expected")

    context.sslobject_class = PinnedObject


def load_certificates(path: Path) -> list[x509.Certificate]:
    """The certificates of a PEM file, in its order. Raises TlsError ``certificate-file-unreadable``."""
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise TlsError(
            "certificate-file-unreadable",
            f"The certificate file {path} cannot be read: {error.strerror}.",
            "Check the path in the settings, or ask for the certificate first.",
        ) from error
    except ValueError:
        raise TlsError(
            "certificate-file-unreadable", f"{path} holds no certificate in PEM form.", "Restore the file."
        ) from None
    return certificates


def _restrict(context: ssl.SSLContext, minimum: ssl.TLSVersion) -> None:
    if minimum < ssl.TLSVersion.TLSv1_2:
        raise TlsError("tls-version", f"{minimum.name} is broken.", "Set the minimum to TLS 1.2 or 1.3.")
    context.minimum_version = minimum
    context.set_ciphers(_TLS12_CIPHERS)
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])


def _load_identity(context: ssl.SSLContext, identity: Identity) -> None:
    # Read by ourselves first: it refuses files that others can read, and its errors say what to do.
    key = load_private_key(identity.key, identity.passphrase)
    leaf = load_certificates(identity.certificates)[0]
    encoding, form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if leaf.public_key().public_bytes(encoding, form) != key.public_key().public_bytes(encoding, form):
        raise TlsError(
            "certificate-key-mismatch",
            f"The certificate in {identity.certificates} was not issued for the key in {identity.key}.",
            "Put the file that belongs to this key there, or ask for a new certificate.",
        )
    try:
        # A password is always passed, because OpenSSL would otherwise ask for one on the terminal.
        context.load_cert_chain(identity.certificates, identity.key, password=identity.passphrase or b"")
    except (ssl.SSLError, OSError) as error:
        raise TlsError(
            "certificate-file-unreadable",
            f"OpenSSL does not take the chain in {identity.certificates}: {error}.",
            "The file holds the leaf certificate first, then the authorities above it.",
        ) from error


def _trust(context: ssl.SSLContext, certificates: Sequence[x509.Certificate]) -> None:
    if certificates:
        context.load_verify_locations(cadata=b"".join(each.public_bytes(Encoding.DER) for each in certificates))
