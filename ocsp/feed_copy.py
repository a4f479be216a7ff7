"""The responder's own copy of the registry's status feed: in memory, on disk, and never older than it was."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from estamp.certificates import fingerprint
from estamp.errors import StatusError
from estamp.status_feed import RevokedCertificate, StatusFeed, open_feed
from ocsp.errors import FeedCopyError, StaleCopyError
from service_runtime.keys import write_atomically


@dataclass(frozen=True, slots=True)
class _Record:
    """What one authority issued and revoked, by serial number."""

    issued: frozenset[int]
    revoked: dict[int, RevokedCertificate]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the copy says of a serial number: whether it was ever issued, and its revocation, if there is one.

    `known_at` is when the registry signed the feed that says so.
    """

    issued: bool
    revocation: RevokedCertificate | None
    known_at: datetime


class FeedCopy:
    """One copy of the feed. Reading happens in the event loop, taking in a new feed in any one thread at a time."""

    def __init__(self, file: Path, signer_key: str, instance: str, max_age: timedelta) -> None:
        """`signer_key` and `instance` are the trust anchor's; beyond `max_age` the copy answers nothing."""
        self._file = file
        self._signer_key = signer_key
        self._instance = instance
        self._max_age = max_age
        self._feed: StatusFeed | None = None
        self._records: dict[str, _Record] = {}
        self._confirmed_at: datetime | None = None
        self._is_on_disk = False

    @property
    def version(self) -> int:
        """The version held, 0 when there is none."""
        return self._feed.version if self._feed else 0

    def load(self, now: datetime) -> None:
        """Take in the file of an earlier run, if there is one.

        Its age counts from the registry's signature, because what a file's own dates say survives no backup. Raises
        FeedCopyError (`ocsp-feed-file-unusable`): going on without it would forget which version was held already.
        """
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            data = self._file.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unusable(str(error.strerror)) from error
        try:
            feed = open_feed(data, self._signer_key, self._instance)
        except StatusError as error:
            raise self._unusable(error.message) from error
        self._hold(feed)
        self._is_on_disk = True
        self._confirmed_at = min(feed.produced_at, now)

    def accept(self, data: bytes, now: datetime) -> bool:
        """Take in an envelope that the registry served at `now`; whether its version is a new one.

        Raises FeedCopyError with estamp's reason (`feed-invalid`, `feed-older`, `feed-other-instance`), and what was
        held stays; FileWriteError, and the feed serves from memory, because a full disk must not hide a revocation.
        """
        try:
            feed = open_feed(data, self._signer_key, self._instance)
            if self._feed is not None:
                feed.require_successor_of(self._feed)
        except StatusError as error:
            raise FeedCopyError(
                error.reason,
                error.message,
                "Check that the registry is the trust anchor's and has its newest database.",
            ) from error
        is_new = feed.version != self.version
        if feed != self._feed:
            self._is_on_disk = False
            self._hold(feed)
        try:
            if not self._is_on_disk:
                write_atomically(self._file, data)
                self._is_on_disk = True
        finally:
            # Last, so that whoever sees the responder ready finds the copy on disk, unless the disk does not take it.
            self._confirmed_at = min(feed.produced_at, now)
        return is_new

    def age(self, now: datetime) -> timedelta | None:
        """How long ago the registry signed the copy; None when there is none."""
        return None if self._confirmed_at is None else now - self._confirmed_at

    def find(self, authority: str, serial: int, now: datetime) -> Finding:
        """What is known of `serial`, issued by the authority with that certificate fingerprint.

        Raises StaleCopyError `ocsp-feed-missing`, `ocsp-feed-stale` or `ocsp-feed-without-issuer`.
        """
        known_at = self.require_fresh(authority, now)
        record = self._records[authority]
        return Finding(serial in record.issued, record.revoked.get(serial), known_at)

    def require_fresh(self, authority: str, now: datetime) -> datetime:
        """When what is held about the authority was last confirmed; raises StaleCopyError as `find` does."""
        if self._confirmed_at is None:
            raise StaleCopyError(
                "ocsp-feed-missing",
                "No status feed is held yet.",
                "The registry must be reachable under the address in the settings or the trust anchor.",
            )
        age = now - self._confirmed_at
        # Either way: after the clock was set back, nobody knows how old the copy is.
        if abs(age) > self._max_age:
            raise StaleCopyError(
                "ocsp-feed-stale",
                f"The registry last confirmed the status feed {age.total_seconds():.0f} seconds ago, "
                f"more than the {self._max_age.total_seconds():.0f} allowed.",
                "Find out why the registry's status feed does not arrive; the log names each failure.",
            )
        if authority not in self._records:
            raise StaleCopyError(
                "ocsp-feed-without-issuer",
                f"The status feed says nothing of the authority {authority}.",
                "Configure the authorities of this registry only.",
            )
        return min(self._confirmed_at, now)

    def _hold(self, feed: StatusFeed) -> None:
        self._records = {
            fingerprint(each.authority): _Record(
                frozenset(int(serial, 16) for serial in each.issued),
                {int(revoked.serial, 16): revoked for revoked in each.revoked},
            )
            for each in feed.issuers
        }
        self._feed = feed

    def _unusable(self, why: str) -> FeedCopyError:
        return FeedCopyError(
            "ocsp-feed-file-unusable",
            f"The copy of the status feed in {self._file} cannot be used. {why}",
            "If it was damaged, or the trust anchor has changed for good, delete it: the registry's feed replaces it.",
        )
