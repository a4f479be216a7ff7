"""The watch over the clock. Time sources stand in for the system's, which a test must not set."""

import hashlib
import time

import pytest

from estamp.errors import TimestampError
from estamp.timestamp import make_request, read_response
from tests.pki import TestPki
from tsa.authority import GRANTED, Authority
from tsa.clock import Clock, moment
from tsa.credentials import Credentials
from tsa.errors import TimeNotAvailableError
from tsa.settings import TokenSettings

SECOND = 1_000_000_000
START = 1_795_000_000 * SECOND


class Machine:
    """Two clocks that advance together unless somebody sets one of them."""

    def __init__(self) -> None:
        self.wall = START
        self.steady = 77 * SECOND

    def run(self, seconds: float) -> None:
        self.wall += int(seconds * SECOND)
        self.steady += int(seconds * SECOND)

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.steady)


def test_time_that_runs_on_is_given() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.run(3600)
    assert clock.nanoseconds() == START + 3600 * SECOND


def test_a_small_correction_is_followed() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall -= SECOND
    assert clock.nanoseconds() == START - SECOND


def test_small_corrections_that_add_up_are_noticed() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall -= SECOND
    clock.nanoseconds()
    machine.wall -= SECOND
    with pytest.raises(TimeNotAvailableError):
        clock.nanoseconds()


def test_after_a_step_back_there_is_no_time_until_it_has_caught_up() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.run(100)
    last = clock.nanoseconds()
    # The clock shows more than at the last look, and was set back nevertheless.
    machine.run(50)
    machine.wall -= 20 * SECOND
    with pytest.raises(TimeNotAvailableError) as caught:
        clock.nanoseconds()
    assert caught.value.reason == "clock-set-back"
    assert "20.0 seconds" in caught.value.message
    machine.run(19.9)
    with pytest.raises(TimeNotAvailableError):
        clock.nanoseconds()
    machine.run(0.2)
    assert clock.nanoseconds() > last
    machine.run(1)
    assert clock.nanoseconds() == machine.wall


def test_a_second_step_back_while_waiting_prolongs_the_wait() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall -= 5 * SECOND
    with pytest.raises(TimeNotAvailableError):
        clock.nanoseconds()
    machine.wall -= 5 * SECOND
    machine.run(6)
    with pytest.raises(TimeNotAvailableError):
        clock.nanoseconds()
    machine.run(5)
    assert clock.nanoseconds() == machine.wall


def test_a_step_forward_is_followed_and_its_correction_waited_out() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += 3600 * SECOND
    ahead = clock.nanoseconds()
    machine.wall -= 3600 * SECOND
    with pytest.raises(TimeNotAvailableError):
        clock.nanoseconds()
    machine.run(3601)
    assert clock.nanoseconds() > ahead


def test_an_authority_whose_clock_was_set_back_grants_nothing_until_it_has_caught_up() -> None:
    machine = Machine()
    machine.wall = time.time_ns()
    tsa = TestPki().tsa
    authority = Authority(Credentials(tsa.certificate, (), tsa.key), TokenSettings(), machine.clock())
    imprint = hashlib.sha256(b"signature value").digest()
    request = make_request(imprint, 7)
    assert authority.answer(request).outcome == GRANTED
    machine.wall -= 2 * SECOND
    refused = authority.answer(request)
    assert refused.outcome == "timeNotAvailable"
    with pytest.raises(TimestampError, match="timeNotAvailable"):
        read_response(refused.encoded, imprint=imprint, nonce=7)
    machine.run(3)
    assert authority.answer(request).outcome == GRANTED


def test_moments_are_whole_seconds_of_utc() -> None:
    assert moment(START + SECOND - 1).isoformat() == "2026-11-18T11:06:40+00:00"
