"""Making an e-stamp in its order: sign, have the signature timestamped, fetch the certificate's status, assemble.

The two fetches are the caller's (this package has no network); :func:`prepare` and :meth:`PreparedStamp.complete`
are what comes before and after them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from estamp.container import Entry, write_zip
from estamp.signature import (
    MANIFEST_ENTRY,
    SIGNATURE_ENTRY,
    Reference,
    SignatureFields,
    SigningKey,
    algorithm_of,
    assemble,
    references_to,
    sign,
    signature_value_element,
    signed_info,
    signed_properties,
    write_manifest,
)


@dataclass(frozen=True, slots=True)
class Signer:
    """Whoever stamps: its certificate with the private key, and the certificate of the CA that issued it."""

    certificate: x509.Certificate
    key: SigningKey
    issuer: x509.Certificate


@dataclass(frozen=True, slots=True)
class PreparedStamp:
    """A signature that still lacks its timestamp and its status answer."""

    signer: Signer
    entries: tuple[Entry, ...]
    references: tuple[Reference, ...]
    properties: str
    info: str
    value: bytes
    signing_time: datetime

    @property
    def timestamp_imprint(self) -> bytes:
        """The SHA-256 to be timestamped: of the canonical SignatureValue element (EN 319 132-1, 5.3)."""
        return hashlib.sha256(signature_value_element(self.value).encode()).digest()

    def complete(self, token: bytes, status: bytes, responder: x509.Certificate) -> bytes:
        """The whole container, from the time-stamp token and the status answer (both DER).

        ``responder`` is the certificate that signed the status answer; it is kept beside the issuing CA's.
        """
        fields = SignatureFields(
            references=self.references,
            signing_time=self.signing_time,
            certificate=self.signer.certificate,
            value=self.value,
            token=token,
            certificates=(
                self.signer.issuer.public_bytes(Encoding.DER),
                responder.public_bytes(Encoding.DER),
            ),
            status=status,
        )
        signature = assemble(self.info, self.properties, self.signer.certificate.public_bytes(Encoding.DER), fields)
        files = [(entry.name, entry.data) for entry in self.entries]
        files += [(MANIFEST_ENTRY, write_manifest(self.references)), (SIGNATURE_ENTRY, signature)]
        return write_zip(files)


def prepare(entries: Sequence[Entry], signer: Signer, signing_time: datetime) -> PreparedStamp:
    """Hash and sign the entries; ``signing_time`` is cut to whole seconds, as the wire has it.

    Raises SignatureError (``unsupported-algorithm``) when the signer's key is none that messages are signed with.
    """
    signing_time = signing_time.replace(microsecond=0)
    references = references_to(entries)
    properties = signed_properties(references, signer.certificate.public_bytes(Encoding.DER), signing_time)
    info = signed_info(references, properties, algorithm_of(signer.certificate))
    return PreparedStamp(
        signer=signer,
        entries=tuple(entries),
        references=references,
        properties=properties,
        info=info,
        value=sign(info, signer.key),
        signing_time=signing_time,
    )
