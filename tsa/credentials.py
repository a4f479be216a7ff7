"""The authority's key and certificate, read from files and checked before anything is signed with them."""

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from estamp.certificate_algorithms import public_key, require_strong_key
from estamp.certificates import Kind, kind_of, require_readable
from estamp.errors import CertificateError
from service_runtime.keys import PrivateKey, load_passphrase, load_private_key
from tsa.errors import SigningCertificateError, TimeNotAvailableError
from tsa.settings import SigningSettings


@dataclass(frozen=True)
class Credentials:
    """The authority's certificate, the certificates to enclose beside it, and its key."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key: PrivateKey

    def require_valid(self, at: datetime) -> None:
        """Require that the certificate is within its validity; raise TimeNotAvailableError otherwise."""
        begin, end = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        if not begin <= at <= end:
            raise TimeNotAvailableError(
                "tsa-certificate-not-valid-now",
                f"The authority's certificate is valid from {begin:%Y-%m-%dT%H:%M:%SZ} to {end:%Y-%m-%dT%H:%M:%SZ}, "
                f"and the clock says {at:%Y-%m-%dT%H:%M:%SZ}.",
                "Check the clock; if it is right, have the registry issue a new certificate and restart.",
            )


def load_credentials(settings: SigningSettings, *, now: datetime) -> Credentials:
    """Read and check the files that `settings` names.

    Raises KeyFileError for the key's file, and SigningCertificateError: ``tsa-certificate-unreadable``,
    ``tsa-certificate-unsuitable`` (no critical, sole extended key usage for time-stamping, or another kind, or a weak
    key), ``tsa-key-mismatch`` or ``tsa-certificate-not-valid-now``.
    """
    key = load_private_key(settings.key, load_passphrase(settings.passphrase_file, settings.passphrase_variable))
    certificate, *above = _read_certificates(settings)
    try:
        kind = kind_of(certificate)
        require_strong_key(certificate)
    except CertificateError as error:
        raise _unsuitable(settings, error.message) from error
    if kind is not Kind.TSA:
        raise _unsuitable(settings, f"It is for {kind}.")
    if public_key(certificate) != key.public_key():
        raise SigningCertificateError(
            "tsa-key-mismatch",
            f"The key in {settings.key} is not the one of the certificate in {settings.certificate}.",
            "Set signing.key and signing.certificate to two files that belong together.",
        )
    credentials = Credentials(certificate, tuple(above) if settings.enclose_chain else (), key)
    try:
        credentials.require_valid(now)
    except TimeNotAvailableError as error:
        raise SigningCertificateError(error.reason, error.message, error.advice) from error
    return credentials


def _read_certificates(settings: SigningSettings) -> list[x509.Certificate]:
    path = settings.certificate
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
        for certificate in found:
            require_readable(certificate)
    except (OSError, ValueError, CertificateError) as error:
        cause = error.strerror if isinstance(error, OSError) else str(error)
        raise SigningCertificateError(
            "tsa-certificate-unreadable",
            f"No certificates in PEM form can be read from {path}: {cause}.",
            "Check signing.certificate in the settings.",
        ) from error
    return found


def _unsuitable(settings: SigningSettings, why: str) -> SigningCertificateError:
    return SigningCertificateError(
        "tsa-certificate-unsuitable",
        f"The certificate in {settings.certificate} is not one to sign time-stamps with: {why}",
        "Have the registry issue one of the kind tsa for this key.",
    )
