"""Vectors that are well formed and signed, but whose certificates, timestamp or status are not to be believed."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

from estamp.certificates import Kind
from estamp.signature import SignatureFields
from estamp.timestamp_structure import TokenParts
from tests.breaking import STATUS, TOKEN, Stamped, embedded, flipped, timestamp_imprint, with_embedded
from tests.status_answers import no_answer, status_answer
from tests.vectors.scene import MOMENT, Case, Scene

_DAY = dt.timedelta(days=1)
_SECOND = dt.timedelta(seconds=1)


def cases(scene: Scene) -> Iterator[Case]:
    """Make them."""
    yield from _signers(scene)
    yield from _timestamps(scene)
    yield from _times(scene)
    yield from _kept_certificates(scene)
    yield from _status(scene)


def _signers(scene: Scene) -> Iterator[Case]:
    pki, usual = scene.pki, scene.request
    foreign = pki.signing_for(pki.member, pki.server, issuer=scene.foreign.issuing)
    expired = pki.signing_for(pki.member, pki.server, not_after=MOMENT - _SECOND)
    early = pki.signing_for(pki.member, pki.server, not_before=MOMENT + _SECOND)
    kind, chain = "signing-certificate", "certificate-chain"
    for name, what, signer, reason, check in (
        ("is-tls", "the server's authentication certificate", pki.authentication, "certificate-wrong-kind", kind),
        ("is-tsa", "the TSA's certificate", pki.tsa, "certificate-wrong-kind", kind),
        (
            "is-catalogue-signer",
            "the catalogue signer's certificate",
            pki.catalogue_signer,
            "certificate-wrong-kind",
            kind,
        ),
        ("of-other-instance", "another instance's certificate", scene.other_instance.signing, "foreign-instance", kind),
        ("of-foreign-ca", "a certificate of a CA that the anchor does not know", foreign, "certificate-chain", chain),
        ("expired", "a certificate that ran out a second before", expired, "certificate-expired", chain),
        ("not-yet-valid", "a certificate valid from a second later", early, "certificate-not-yet-valid", chain),
    ):
        yield Case(f"signer-{name}", f"signed with {what}", usual.but(signer=signer).container(), reason, check)
    kept = usual.but(signer=foreign, issuer=scene.foreign.issuing, responder=scene.foreign.ocsp)
    yield Case(
        "signer-of-foreign-ca-kept",
        "signed with a certificate of an unknown CA, which is kept in the container with its responder",
        kept.container(),
        "certificate-chain",
        chain,
    )
    below = pki.signing_for(pki.member, pki.server, issuer=pki.signing)
    yield Case(
        "signer-issued-by-member",
        "signed with a certificate that was issued with another signing certificate",
        usual.but(signer=below, issuer=pki.signing).container(),
        "certificate-chain",
        chain,
    )


def _timestamps(scene: Scene) -> Iterator[Case]:
    pki, usual = scene.pki, scene.request
    container = usual.container()
    token = embedded(container, TOKEN)[0]
    other_authority = (pki.service(Kind.TSA).der, pki.issuing.der)
    swapped = replace(TokenParts.decode(token), certificates=other_authority).encode()
    _, _, other_value = usual.but(signing_time=MOMENT - _SECOND).signed()
    over_another = usual.token(timestamp_imprint(other_value))
    for name, what, changed, reason in (
        (
            "over-another-signature",
            "the timestamp is over another signature",
            over_another,
            "timestamp-other-signature",
        ),
        ("not-a-token", "the timestamp is something else", b"\x30\x00", "timestamp-malformed"),
        ("changed", "one bit of the token's signature differs", flipped(token, -1), "timestamp-invalid"),
        ("certificate-swapped", "another TSA's certificate was put into the token", swapped, "timestamp-invalid"),
    ):
        yield Case(f"timestamp-{name}", what, with_embedded(container, TOKEN, changed), reason, "timestamp")
    expired = pki.service(Kind.TSA, not_after=MOMENT - _DAY)
    for name, what, tsa in (
        ("unknown-tsa", "by a TSA of a CA that the anchor does not know", scene.foreign.tsa),
        ("by-tls-certificate", "with an authentication certificate", pki.authentication),
        ("by-tsa-of-other-instance", "by another instance's TSA", scene.other_instance.tsa),
        ("by-expired-tsa", "by a TSA whose certificate ran out before", expired),
    ):
        stamped = usual.but(tsa=tsa).container()
        yield Case(
            f"timestamp-{name}", f"timestamped {what}", stamped, "timestamp-unknown-authority", "timestamp-authority"
        )


def _times(scene: Scene) -> Iterator[Case]:
    usual = scene.request
    limit = dt.timedelta(minutes=5) + _SECOND
    yield Case(
        "old-signature-new-timestamp",
        "a signature of yesterday with a timestamp and status answer of today",
        usual.but(signing_time=MOMENT - _DAY).container(),
        "signing-time-off-timestamp",
        "signing-time",
    )
    for name, what, signed_at in (
        ("signing-time-early", "signed a second more than five minutes before the timestamp", MOMENT - limit),
        ("signing-time-late", "signed a second more than five minutes after the timestamp", MOMENT + limit),
    ):
        yield Case(
            name, what, usual.but(signing_time=signed_at).container(), "signing-time-off-timestamp", "signing-time"
        )
    yield Case(
        "timestamp-in-future",
        "everything happened a day after the verifier's clock",
        usual.but(signing_time=MOMENT + _DAY, timestamp_time=MOMENT + _DAY, status_time=MOMENT + _DAY).container(),
        "timestamp-in-future",
        "past",
    )
    hours_ago = MOMENT - dt.timedelta(hours=1)
    yield Case(
        "live-old-message",
        "an hour old on arrival: good evidence, but not live traffic",
        usual.but(signing_time=hours_ago, timestamp_time=hours_ago, status_time=hours_ago).container(),
        "signing-time-off-clock",
        "clock",
        live=True,
    )


def _kept_certificates(scene: Scene) -> Iterator[Case]:
    pki, usual = scene.pki, scene.request
    issuing, responder = pki.issuing.der, pki.ocsp.der
    chain = "certificate-chain"
    for name, what, certificates, reason, check in (
        (
            "kept-one-more",
            "one certificate more is kept",
            (issuing, responder, pki.root.der),
            "signature-malformed",
            chain,
        ),
        ("kept-other-order", "the two stand in the other order", (responder, issuing), "signature-malformed", chain),
        (
            "kept-other-responder",
            "another responder's is kept",
            (issuing, pki.root_ocsp.der),
            "signature-malformed",
            "status",
        ),
        ("kept-not-a-certificate", "one is no certificate", (issuing, b"\x30\x00"), "certificate-malformed", chain),
    ):

        def rewrite(fields: SignatureFields, certificates: tuple[bytes, ...] = certificates) -> SignatureFields:
            return replace(fields, certificates=certificates)

        yield Case(
            name, f"of the kept certificates, {what}", usual.but(rewrite_fields=rewrite).container(), reason, check
        )


def _status(scene: Scene) -> Iterator[Case]:
    pki, usual = scene.pki, scene.request
    container = usual.container()
    status = embedded(container, STATUS)[0]
    at = status.index(pki.ocsp.der) - 20  # within the signature, which stands before the enclosed certificate
    about_another = usual.but(signer=pki.answering).status()
    for name, what, answer, reason in (
        ("revoked", "it says revoked", usual.status(status="revoked"), "certificate-revoked"),
        ("unknown", "it says unknown", usual.status(status="unknown"), "certificate-unknown"),
        ("of-another-certificate", "it is about another certificate", about_another, "status-other-certificate"),
        ("not-an-answer", "it is something else", b"\x30\x00", "status-malformed"),
        ("try-later", "the responder only said to try later", no_answer(), "status-malformed"),
        ("changed", "one bit of its signature differs", flipped(status, at), "status-invalid"),
        ("trailing-byte", "there is a byte after it", status + b"\0", "status-malformed"),
    ):
        changed = with_embedded(container, STATUS, answer)
        yield Case(f"status-{name}", f"the status answer: {what}", changed, reason, "status")
    expired = pki.service(Kind.OCSP, not_after=MOMENT - _DAY)
    for name, what, responder in (
        ("foreign-responder", "belongs to a CA that the anchor does not know", scene.foreign.ocsp),
        ("root-responder", "may answer for the root only", pki.root_ocsp),
        ("tls-certificate", "has a certificate for TLS", pki.authentication),
        ("itself", "is the signer itself", pki.signing),
        ("expired-responder", "has a certificate that ran out before", expired),
    ):
        vouched = usual.but(responder=responder).container()
        yield Case(f"status-by-{name}", f"the responder {what}", vouched, "status-unauthorised-responder", "status")
    yield from _eight_hours(usual)


def _eight_hours(usual: Stamped) -> Iterator[Case]:
    beyond = dt.timedelta(hours=8) + _SECOND
    for name, what, at in (
        ("status-too-old", "the status answer is eight hours and a second older than the timestamp", MOMENT - beyond),
        (
            "status-too-young",
            "the status answer is eight hours and a second younger than the timestamp",
            MOMENT + beyond,
        ),
    ):
        yield Case(name, what, usual.but(status_time=at).container(), "status-too-far", "eight-hours")
    stale = usual.but(
        make_status=lambda stamped: status_answer(
            stamped.signer.certificate,
            stamped.issuing.certificate,
            stamped.answering_responder,
            MOMENT,
            this_update=MOMENT - beyond,
        )
    )
    yield Case(
        "status-of-old-knowledge",
        "the status answer was made just now, from what was known more than eight hours ago",
        stale.container(),
        "status-too-far",
        "eight-hours",
    )
