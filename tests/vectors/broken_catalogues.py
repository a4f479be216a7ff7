"""Published catalogues that must not be taken."""

import datetime as dt
from collections.abc import Iterator

from estamp.certificates import Kind
from estamp.container import Entry
from tests.breaking import published
from tests.vectors.scene import MOMENT, Case, Scene


def cases(scene: Scene) -> Iterator[Case]:
    """Make them."""
    pki, catalogue = scene.pki, scene.catalogue
    usual = published(pki, MOMENT, catalogue)
    other_key = pki.service(Kind.CATALOGUE_SIGNER, issuer=pki.root)
    by_member: dict[str, object] = {"signer": pki.signing, "issuer": pki.issuing, "responder": pki.ocsp}
    foreign = scene.foreign
    by_stranger: dict[str, object] = {
        "signer": foreign.catalogue_signer,
        "issuer": foreign.root,
        "responder": foreign.root_ocsp,
    }
    expired = catalogue.model_copy(update={"issued_at": MOMENT - dt.timedelta(hours=8), "expires_at": MOMENT})
    elsewhere = catalogue.model_copy(update={"instance": "YUC"})
    without_tsa = catalogue.model_copy(update={"timestamp_authorities": ()})
    revoked = usual.but(make_status=lambda stamped: stamped.status(status="revoked"))
    as_text = usual.but(entries=(Entry("catalogue.json", "text/plain", catalogue.dump()),))
    signer, body = "catalogue-signer", "catalogue"
    for name, what, stamped, reason, check in (
        ("other-key", "signed with a key that the root certified but the anchor does not name",
         usual.but(signer=other_key), "catalogue-foreign-signer", signer),
        ("by-member", "signed with a member's certificate", usual.but(**by_member), "catalogue-foreign-signer", signer),
        ("by-stranger", "signed by another hierarchy's catalogue signer",
         usual.but(**by_stranger), "catalogue-foreign-signer", signer),
        ("signer-revoked", "the status answer says that its signer was revoked",
         revoked, "certificate-revoked", "status"),
        ("expired", "its time is over", published(pki, MOMENT, expired), "catalogue-expired", body),
        ("other-instance", "it is another instance's",
         published(pki, MOMENT, elsewhere), "catalogue-foreign-signer", body),
        ("tsa-not-listed", "the TSA that timestamped it does not stand in it",
         published(pki, MOMENT, without_tsa), "timestamp-unknown-authority", body),
        ("not-a-catalogue", "its JSON is something else", published(pki, MOMENT, b"{}"), "catalogue-malformed", body),
        ("media-type", "signed as text/plain", as_text, "catalogue-malformed", body),
        ("is-a-message", "a request in a catalogue's place", scene.request, "container-malformed", "entries"),
    ):  # fmt: skip
        yield Case(f"catalogue-{name}", what, stamped.container(), reason, check, live=True, catalogue=True)
    message = scene.request.but(entries=usual.entries)
    yield Case(
        "message-is-a-catalogue",
        "a catalogue in a message's place",
        message.container(),
        "container-malformed",
        "entries",
    )
