"""Serial numbers of tokens: docs/decisions/0003-timestamp-serial-numbers.md says why they are made like this."""

import secrets


def new_serial_number(nanoseconds: int) -> int:
    """Return a serial number that was never used: the time in nanoseconds since 1970, then 64 random bits.

    It is positive and has at most 128 bits until the year 2554; RFC 3161 wants readers to accept 160.
    """
    return nanoseconds << 64 | secrets.randbits(64)
