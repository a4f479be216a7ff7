"""Checks of who signed, and of what a catalogue says of the signer (or of itself).

Each check takes the :class:`~estamp.reading.Reading`, returns a sentence that says what held, and raises an
EstampError to refuse.
"""

from estamp.catalogue import CATALOGUE_ENTRY, CATALOGUE_MEDIA_TYPE, Catalogue
from estamp.certificate_memory import fingerprint, instance_of, key_fingerprint, kind_of, signer_of
from estamp.certificates import Kind
from estamp.errors import (
    CatalogueError,
    CertificateError,
    HeadError,
    IdentifierError,
    SignatureError,
    TimestampError,
)
from estamp.identifiers import ClientId, ServiceId
from estamp.message import Direction
from estamp.reading import NotChecked, Reading, iso
from estamp.signature import verify_value


def check_signing_certificate(reading: Reading) -> str:
    """See that a signing certificate of the anchor's instance was used."""
    certificate = reading.signature.certificate
    if kind_of(certificate) is not Kind.SIGNING:
        raise CertificateError("certificate-wrong-kind", "The message was not signed with a signing certificate.")
    name = signer_of(certificate)
    if name.member.instance != reading.anchor.instance:
        raise CertificateError(
            "foreign-instance",
            f"The signer belongs to {name.member.instance}, the anchor to {reading.anchor.instance}.",
        )
    return f"A signing certificate of {name.member} on {name.server}."


def check_catalogue_certificate(reading: Reading) -> str:
    """See that the catalogue was signed with the key that the anchor names."""
    certificate = reading.signature.certificate
    if kind_of(certificate) is not Kind.CATALOGUE_SIGNER or instance_of(certificate) != reading.anchor.instance:
        raise CatalogueError("catalogue-foreign-signer", "The catalogue was not signed by this instance's signer.")
    if key_fingerprint(certificate) != reading.anchor.catalogue_signer_key:
        raise CatalogueError(
            "catalogue-foreign-signer", "The catalogue was signed with a key that the anchor does not name."
        )
    return "Signed with the key that the anchor names."


def check_signature_value(reading: Reading) -> str:
    """See that the signature value holds under the certificate's key."""
    verify_value(reading.signature)
    return "The signature value holds under the certificate's key."


def check_signer_named(reading: Reading) -> str:
    """The member that the head speaks for must be the one that signed (wire.md, "Who may sign what")."""
    signer = signer_of(reading.signature.certificate)
    assert reading.head is not None
    header = "X-Road-Client" if reading.direction is Direction.REQUEST else "X-Road-Service"
    text = reading.head.get(header)
    if text is None:
        raise HeadError("head-incomplete", f"The head lacks {header}.")
    for needed in ("X-Road-Id", "X-Road-Request-Id"):
        if not reading.head.get(needed):
            raise HeadError("head-incomplete", f"The head lacks {needed}.")
    try:
        named = ClientId.parse(text) if reading.direction is Direction.REQUEST else ServiceId.parse(text).provider
        if reading.direction is Direction.ANSWER:
            ClientId.parse(reading.head.get("X-Road-Client") or "")
            if not reading.head.get("X-Road-Request-Hash"):
                raise HeadError("head-incomplete", "The head lacks X-Road-Request-Hash.")
    except IdentifierError as error:
        raise HeadError("head-malformed", f"{header}: {error.message}") from None
    if named.member != signer.member:
        raise SignatureError("signer-not-named", f"The head speaks for {named.member}, but {signer.member} signed it.")
    return f"{header} names {named}, of the member that signed."


def check_standing(reading: Reading) -> str:
    """See that the newest catalogue still has the signer, its server and its client; live traffic only."""
    catalogue = reading.catalogue
    if catalogue is None:
        raise NotChecked("No catalogue was given: who is suspended or revoked now was not asked.")
    if catalogue.instance != reading.anchor.instance:
        raise CatalogueError("catalogue-malformed", "The catalogue belongs to another instance than the anchor.")
    if not reading.policy.live:
        raise NotChecked("This is evidence: who was suspended or revoked later does not change it.")
    if catalogue.expired(reading.policy.at):
        raise CatalogueError(
            "catalogue-expired", f"The newest catalogue at hand expired at {iso(catalogue.expires_at)}."
        )
    signer = signer_of(reading.signature.certificate)
    if fingerprint(reading.signature.certificate) in catalogue.revoked_certificates:
        raise CertificateError("certificate-revoked", "The newest catalogue lists the signing certificate as revoked.")
    member, server = catalogue.member(signer.member), catalogue.server(signer.server)
    owner = catalogue.member(signer.server.owner)
    if member is None:
        raise CatalogueError("member-unknown", f"{signer.member} does not stand in the newest catalogue.")
    if server is None or owner is None:
        raise CatalogueError("server-unknown", f"The server {signer.server} does not stand in the newest catalogue.")
    if member.suspended or owner.suspended:
        raise CatalogueError("member-suspended", f"{signer.member if member.suspended else owner.id} is suspended.")
    if server.suspended:
        raise CatalogueError("server-suspended", f"The server {signer.server} is suspended.")
    assert reading.head is not None
    text = reading.head.get("X-Road-Client" if reading.direction is Direction.REQUEST else "X-Road-Service") or ""
    party = ClientId.parse(text) if reading.direction is Direction.REQUEST else ServiceId.parse(text).provider
    if not catalogue.knows_client(party):
        raise CatalogueError("client-unknown", f"{party} does not stand in the newest catalogue.")
    if str(party) not in server.clients:
        raise CatalogueError("client-not-hosted", f"{party} is not hosted on {signer.server}.")
    return f"{party} on {signer.server} stands in catalogue {catalogue.version}, neither suspended nor revoked."


def check_catalogue_body(reading: Reading) -> str:
    """Read the catalogue itself: its instance, its TSA, and on live use its expiry."""
    catalogue = Catalogue.load(reading.files[CATALOGUE_ENTRY])
    if catalogue.instance != reading.anchor.instance:
        raise CatalogueError("catalogue-foreign-signer", "The catalogue belongs to another instance than the anchor.")
    if [reference.media_type for reference in reading.signature.references] != [CATALOGUE_MEDIA_TYPE]:
        raise CatalogueError("catalogue-malformed", "The catalogue's media type is not application/json.")
    assert reading.timestamp is not None
    if fingerprint(reading.timestamp.certificate) not in catalogue.timestamp_authority_fingerprints:
        raise TimestampError("timestamp-unknown-authority", "The TSA that timestamped it does not stand in it.")
    if reading.policy.live and catalogue.expired(reading.policy.at):
        raise CatalogueError(
            "catalogue-expired", f"Catalogue {catalogue.version} expired at {iso(catalogue.expires_at)}."
        )
    reading.catalogue = catalogue
    return f"Version {catalogue.version} of {catalogue.instance}, to be used until {iso(catalogue.expires_at)}."
