"""Which headers go on and which do not."""

from gateway.headers import NEVER_PASSED_ON, SET_ON_ANSWERS, passed_on, to_raw


def test_headers_of_one_connection_stay_behind_and_all_others_keep_their_order() -> None:
    raw = [(name.encode(), b"x") for name in sorted(NEVER_PASSED_ON)]
    kept = [(b"x-b", b"1"), (b"X-A", b"2"), (b"x-b", b" 3\t"), (b"x-latin", b"\xe9")]
    headers = passed_on([*raw, *kept])
    assert headers == (("x-b", "1"), ("X-A", "2"), ("x-b", "3"), ("x-latin", "é"))
    assert to_raw(headers)[-1] == (b"x-latin", b"\xe9")


def test_what_only_gateways_set_is_dropped_in_any_case_of_letters() -> None:
    raw = [(name.upper().encode(), b"forged") for name in SET_ON_ANSWERS]
    assert passed_on([*raw, (b"X-Road-Userid", b"stays")], SET_ON_ANSWERS) == (("X-Road-Userid", "stays"),)
