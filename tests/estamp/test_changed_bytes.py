"""No byte of an e-stamp may change, wherever it stands, and whatever is made to fit around it."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estamp.signature import SIGNATURE_ENTRY
from estamp.verification import Policy, verify
from tests.breaking import (
    KEPT,
    SIGNER,
    STATUS,
    TOKEN,
    Instance,
    embedded,
    entry_of,
    flipped,
    rebuilt,
    request,
    with_embedded,
)

NOW = dt.datetime(2026, 3, 2, 10, tzinfo=dt.UTC)

# The certificates' changed bytes make the library that reads them warn; being warned is not what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def pki() -> Instance:
    return Instance(not_before=NOW - dt.timedelta(days=30))


@pytest.fixture(scope="module")
def plain(pki: Instance) -> bytes:
    return request(pki, NOW).container()


@pytest.mark.parametrize("body", [None, b"", b'{"placa":"UTR-123-A"}'], ids=["none", "empty", "some"])
def test_no_byte_of_a_container_may_change(pki: Instance, body: bytes | None) -> None:
    container = request(pki, NOW, body=body).container()
    policy = Policy(NOW)
    assert verify(container, pki.anchor, policy).valid
    accepted = [at for at in range(len(container)) if verify(flipped(container, at), pki.anchor, policy).valid]
    assert accepted == []


@pytest.mark.parametrize(
    ("element", "number"), [(SIGNER, 0), (KEPT, 0), (KEPT, 1), (TOKEN, 0), (STATUS, 0)],
    ids=["signer", "issuing-ca", "responder", "token", "status"],
)  # fmt: skip
def test_no_byte_of_what_is_embedded_may_change(pki: Instance, plain: bytes, element: str, number: int) -> None:
    """With the ZIP rebuilt whole and the base64 right, so that the change arrives where it is aimed at."""
    der = embedded(plain, element)[number]
    policy = Policy(NOW)
    assert verify(with_embedded(plain, element, der, number), pki.anchor, policy).valid
    accepted = [
        (at, mask)
        for mask in (0x01, 0x80)
        for at in range(len(der))
        if verify(with_embedded(plain, element, flipped(der, at, mask), number), pki.anchor, policy).valid
    ]
    assert accepted == []


def test_no_byte_of_head_body_manifest_or_signature_may_change(pki: Instance) -> None:
    """The same with the checksums of the ZIP right: the signature alone has to notice."""
    container = request(pki, NOW, body=b"body").container()
    policy = Policy(NOW)
    accepted = [
        (name, at)
        for name in ("request.http", "body", "META-INF/manifest.xml", SIGNATURE_ENTRY)
        for at in range(len(entry_of(container, name)))
        if verify(rebuilt(container, {name: flipped(entry_of(container, name), at)}), pki.anchor, policy).valid
    ]
    assert accepted == []


def test_no_part_of_a_container_is_one(pki: Instance, plain: bytes) -> None:
    accepted = [size for size in range(len(plain)) if verify(plain[:size], pki.anchor, Policy(NOW)).valid]
    assert accepted == []


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_mangled_documents_are_refused_and_never_raise(pki: Instance, plain: bytes, data: st.DataObject) -> None:
    """Pieces of the signature document copied, moved or cut out, as a forger or a broken program might."""
    document = entry_of(plain, SIGNATURE_ENTRY)
    places = st.integers(0, len(document))
    begin, end = sorted((data.draw(places), data.draw(places)))
    to = data.draw(places)
    mangled = data.draw(
        st.sampled_from(
            [
                document[:begin] + document[end:],
                document[:to] + document[begin:end] + document[to:],
                document[:begin] + data.draw(st.binary(max_size=8)) + document[end:],
            ]
        )
    )
    if mangled != document:
        assert not verify(rebuilt(plain, {SIGNATURE_ENTRY: mangled}), pki.anchor, Policy(NOW)).valid
