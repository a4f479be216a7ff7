"""A test that misses a tool is skipped by name, and fails where everything is required."""

import pytest

from tests.requirements_of_tests import require_module, require_tool

ABSENT = "no-such-program-of-xacbe"


def test_a_tool_that_is_there_is_found() -> None:
    assert require_tool("sh").is_file()


def test_a_missing_tool_is_a_skip_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XACBE_REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match=ABSENT):
        require_tool(ABSENT)
    with pytest.raises(pytest.skip.Exception, match="no_such_module_of_xacbe"):
        require_module("no_such_module_of_xacbe")


def test_a_missing_tool_is_a_failure_where_everything_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XACBE_REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match=ABSENT):
        require_tool(ABSENT)
    with pytest.raises(pytest.fail.Exception, match="no_such_module_of_xacbe"):
        require_module("no_such_module_of_xacbe")
