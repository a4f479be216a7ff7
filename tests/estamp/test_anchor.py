"""The trust anchor: one text, one fingerprint, and nothing half understood."""

import hashlib
import json

import pytest

from estamp.anchor import TrustAnchor
from estamp.certificates import key_fingerprint
from estamp.errors import AnchorError
from tests.breaking import Instance


@pytest.fixture(scope="module")
def pki() -> Instance:
    return Instance()


def test_what_is_dumped_is_loaded(pki: Instance) -> None:
    loaded = TrustAnchor.load(pki.anchor.dump())
    assert loaded == pki.anchor
    assert loaded.dump() == pki.anchor.dump()
    assert loaded.root == pki.root.certificate
    assert loaded.catalogue_signer_key == key_fingerprint(pki.catalogue_signer.certificate)


def test_the_file_is_canonical_and_its_fingerprint_that_of_the_file(pki: Instance) -> None:
    data = pki.anchor.dump()
    assert data == json.dumps(json.loads(data), sort_keys=True, separators=(",", ":")).encode() + b"\n"
    pairs = pki.anchor.fingerprint.split(":")
    assert bytes.fromhex("".join(pairs)) == hashlib.sha256(data).digest()
    assert all(len(pair) == 2 and pair == pair.upper() for pair in pairs)


def test_a_reformatted_file_is_the_same_anchor(pki: Instance) -> None:
    spaced = json.dumps(json.loads(pki.anchor.dump()), indent=2).encode()
    assert TrustAnchor.load(spaced).fingerprint == pki.anchor.fingerprint


def test_each_part_counts_in_the_fingerprint(pki: Instance) -> None:
    other = Instance()
    changes: dict[str, object] = {
        "instance": "YUC",
        "root_certificate": other.anchor.root_certificate,
        "catalogue_signer_key": other.anchor.catalogue_signer_key,
        "registry_addresses": ("https://other.example:4001",),
    }
    prints = {pki.anchor.model_copy(update={name: value}).fingerprint for name, value in changes.items()}
    assert len(prints | {pki.anchor.fingerprint}) == len(changes) + 1


@pytest.mark.parametrize(
    "change",
    [
        {"instance": ""},
        {"instance": None},
        {"root_certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
        {"root_certificate": ""},
        {"catalogue_signer_key": "ab"},
        {"catalogue_signer_key": "A" * 64},
        {"format_version": 2},
        {"format_version": 0},
        {"registry_addresses": "https://registry.example"},
        {"something": "else"},
    ],
    ids=lambda change: "-".join(map(str, change.items()))[:40],
)
def test_an_anchor_with_another_value_is_refused(pki: Instance, change: dict[str, object]) -> None:
    data = json.dumps({**json.loads(pki.anchor.dump()), **change}).encode()
    with pytest.raises(AnchorError) as caught:
        TrustAnchor.load(data)
    assert caught.value.reason == "anchor-malformed"


@pytest.mark.parametrize("name", ["instance", "root_certificate", "catalogue_signer_key"])
def test_an_anchor_lacking_something_is_refused(pki: Instance, name: str) -> None:
    values = json.loads(pki.anchor.dump())
    del values[name]
    with pytest.raises(AnchorError) as caught:
        TrustAnchor.load(json.dumps(values).encode())
    assert name in caught.value.message


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b"-----BEGIN CERTIFICATE-----"])
def test_what_is_no_anchor_is_refused(data: bytes) -> None:
    with pytest.raises(AnchorError) as caught:
        TrustAnchor.load(data)
    assert caught.value.reason == "anchor-malformed"
