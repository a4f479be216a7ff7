"""The trust anchor: the one file that a gateway, an auditor or a court must have got over a way they trust.

A person compares its fingerprint once, by telephone or on paper; everything else is proven from it.
"""

import hashlib
import json
from functools import cached_property
from typing import Annotated, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from estamp.certificates import load_certificate
from estamp.errors import AnchorError, CertificateError

FORMAT_VERSION = 1


class TrustAnchor(BaseModel):
    """What an instance is known by.

    ``root_certificate`` is PEM text, ``catalogue_signer_key`` the lower-case hexadecimal SHA-256 of the DER
    SubjectPublicKeyInfo of the only key that signs catalogues, ``registry_addresses`` the ``https://`` addresses of
    the registry's port for gateways.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    format_version: int = Field(default=FORMAT_VERSION, ge=FORMAT_VERSION, le=FORMAT_VERSION)
    instance: Annotated[str, Field(min_length=1, max_length=255)]
    root_certificate: str
    catalogue_signer_key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    registry_addresses: tuple[str, ...] = ()

    @classmethod
    def load(cls, data: bytes) -> Self:
        """Read an anchor file; raises AnchorError (``anchor-malformed``)."""
        try:
            anchor = cls.model_validate_json(data)
            anchor.root  # noqa: B018 - read here so that a bad certificate is told where the file is read
        except (ValidationError, CertificateError) as error:
            raise AnchorError("anchor-malformed", f"This is not a trust anchor: {_first(error)}") from None
        return anchor

    def dump(self) -> bytes:
        """The anchor as a file: canonical JSON (sorted keys, no spaces, UTF-8), one text for one anchor."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode() + b"\n"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of :meth:`dump`, in upper-case hexadecimal pairs with colons: what two people read to each other."""
        return hashlib.sha256(self.dump()).digest().hex(":").upper()

    @cached_property
    def root(self) -> x509.Certificate:
        """The root certificate."""
        return load_certificate(self.root_certificate.encode())

    @classmethod
    def of(cls, root: x509.Certificate, *, instance: str, signer_key: str, registry_addresses: tuple[str, ...]) -> Self:
        """An anchor from its parts; ``signer_key`` as :func:`estamp.certificates.key_fingerprint` gives it."""
        return cls(
            instance=instance,
            root_certificate=root.public_bytes(Encoding.PEM).decode(),
            catalogue_signer_key=signer_key,
            registry_addresses=registry_addresses,
        )


def _first(error: ValidationError | CertificateError) -> str:
    if isinstance(error, CertificateError):
        return error.message
    detail = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(step) for step in detail['loc']) or 'the file'}: {detail['msg']}"
