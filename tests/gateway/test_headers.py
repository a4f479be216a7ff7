"""Which headers go on and which do not."""

from gateway.headers import NEVER_PASSED_ON, SET_ON_ANSWERS, end_to_end, passed_on, to_raw


def test_headers_of_one_connection_stay_behind_and_all_others_keep_their_order() -> None:
    raw = [(name.encode(), b"x") for name in sorted(NEVER_PASSED_ON)]
    kept = [(b"x-b", b"1"), (b"X-A", b"2"), (b"x-b", b" 3\t"), (b"x-latin", b"\xe9")]
    headers = passed_on([*raw, *kept])
    assert headers == (("x-b", "1"), ("X-A", "2"), ("x-b", "3"), ("x-latin", "é"))
    assert to_raw(headers)[-1] == (b"x-latin", b"\xe9")


def test_what_only_gateways_set_is_dropped_in_any_case_of_letters() -> None:
    raw = [(name.upper().encode(), b"forged") for name in SET_ON_ANSWERS]
    assert passed_on([*raw, (b"X-Road-Userid", b"stays")], SET_ON_ANSWERS) == (("X-Road-Userid", "stays"),)


def test_headers_that_connection_names_stay_behind_but_for_x_road_s() -> None:
    raw = [
        (b"connection", b"X-Hop, close, X-Road-UserId"),
        (b"x-hop", b"1"),
        (b"x-road-userid", b"EE1"),
        (b"x-b", b"2"),
    ]
    assert passed_on(raw) == (("x-road-userid", "EE1"), ("x-b", "2"))


def test_names_that_a_service_may_take_for_x_road_s_stay_behind() -> None:
    raw = [(b"X_Road_Client", b"forged"), (b"x-road_client", b"forged"), (b"x_other", b"stays")]
    assert passed_on(raw) == (("x_other", "stays"),)
    assert end_to_end((("X_Road_Client", "forged"), ("x_other", "stays"))) == (("x_other", "stays"),)
