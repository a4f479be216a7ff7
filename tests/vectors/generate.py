"""Make the committed vectors anew: ``python -m tests.vectors.generate [FOLDER]``.

Every run makes new keys, keeps them in memory only, and forgets them: a vector cannot be changed afterwards, only made
anew with all others. The times are fixed, so the vectors stay what they are however old they get.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from estamp.anchor import TrustAnchor
from estamp.catalogue import Catalogue
from estamp.verdict import Verdict
from estamp.verification import Policy, verify, verify_catalogue
from tests.vectors import (
    broken_catalogues,
    broken_containers,
    broken_heads,
    broken_signatures,
    broken_standing,
    broken_trust,
    valid,
)
from tests.vectors.scene import VERIFIED_AT, Case, Scene

FOLDER = Path(__file__).resolve().parent
GROUPS = (valid, broken_containers, broken_signatures, broken_heads, broken_trust, broken_standing, broken_catalogues)

# More ways to the same refusals. The tests make and judge these too; the repository is spared their bytes.
NOT_COMMITTED = frozenset(
    """
    answer-live request-by-member signing-time-five-minutes-before-timestamp status-eight-hours-after-timestamp
    zip-gap-before-directory zip-gap-after-directory zip-cut-off zip-entry-count zip-second-disk zip-encrypted
    zip-utf8-flag zip-checksums-disagree zip-time zip-central-extra zip-entry-comment zip-symbolic-link
    zip-descriptor-unmarked mimetype-line-feed mimetype-missing zip-entries-directory manifest-missing entry-too-many
    entry-name-not-ascii zip-entries-case zip-entries-body-first zip-entries-both-heads signature-empty
    manifest-line-feed xml-byte-order-mark xml-no-declaration xml-comment xml-processing-instruction
    xml-whitespace-in-tag xml-trailing-line-feed xml-quotes xml-empty-element xml-character-reference xml-cdata
    signature-second-object signature-key-name signature-no-status reference-to-a-file signing-time-fraction
    signing-time-offset media-type-upper-case signature-method head-unknown-method head-absolute-target head-fragment
    head-folded head-unfinished head-as-http head-client-and-body head-empty-id head-request-id-repeated
    head-without-id head-without-request-id client-is-a-service media-type-of-head answer-informational signer-is-tsa
    signer-is-catalogue-signer signer-issued-by-member signer-of-foreign-ca timestamp-by-expired-tsa
    timestamp-by-tls-certificate signing-time-late kept-other-order kept-one-more status-by-root-responder
    status-by-itself status-by-expired-responder status-trailing-byte status-not-an-answer timestamp-not-a-token
    timestamp-by-tsa-of-other-instance catalogue-by-stranger catalogue-media-type catalogue-not-a-catalogue
    zip-entries-path zip-order zip-local-extra kept-not-a-certificate base64-loose-bits signature-key-name
    signed-policy signing-time-early signer-of-answer-is-client live-client-unknown live-server-unknown
    media-type-parameter answer-without-request-hash head-control-character status-of-old-knowledge
    """.split()  # noqa: SIM905 - as a list it would be a hundred lines
)
"""Names of vectors that are not among the committed files."""


def make_cases(scene: Scene) -> list[Case]:
    """All vectors, in the order of the modules that make them; two of one name are an error."""
    cases = [case for group in GROUPS for case in group.cases(scene)]
    names = [case.name for case in cases]
    if len(set(names)) != len(names):
        raise ValueError(f"two vectors have one name: {sorted({name for name in names if names.count(name) > 1})}")
    return cases


def judge(container: bytes, expected: Mapping[str, object], anchor: TrustAnchor, catalogue: Catalogue) -> Verdict:
    """Ask our verifier in the way that expected.json prescribes."""
    policy = Policy(VERIFIED_AT, live=bool(expected["live"]))
    if expected["kind"] == "catalogue":
        return verify_catalogue(container, anchor, policy)[0]
    return verify(container, anchor, policy, catalogue if policy.live else None)


def found(verdict: Verdict) -> dict[str, object]:
    """What a verdict says, in the terms of expected.json."""
    return {
        "valid": verdict.valid,
        "reason": verdict.reason,
        "check": verdict.failure.name if verdict.failure else None,
        "notes": list(verdict.notes),
    }


def write(folder: Path, scene: Scene) -> None:
    """Write the vectors, anchor.json, catalogue.json and expected.json; vectors that no longer exist are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = [case for case in make_cases(scene) if case.name not in NOT_COMMITTED]
    for stale in folder.glob("*.asice"):
        stale.unlink()
    for case in cases:
        (folder / f"{case.name}.asice").write_bytes(case.container)
    (folder / "anchor.json").write_bytes(scene.pki.anchor.dump())
    (folder / "catalogue.json").write_bytes(scene.catalogue.dump())
    expected = {
        "verified_at": VERIFIED_AT.isoformat().replace("+00:00", "Z"),
        "vectors": {case.name: case.expected for case in cases},
    }
    (folder / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER, Scene())
