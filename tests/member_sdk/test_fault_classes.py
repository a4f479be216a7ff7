"""Every refusal that a gateway knows has a class of exception that says what it is."""

from gateway.fault_table import ROWS
from member_sdk import GatewayFault, InvalidRequest
from member_sdk.faults import read_fault

WITHOUT_A_CLASS = {
    "answer-not-judged",
    "catalogue-missing",
    "catalogue-expired",
    "catalogue-malformed",
    "internal-error",
    "wire-unsupported",
}


def test_every_row_of_the_fault_table_becomes_a_class_of_its_own() -> None:
    plain = set()
    for row in ROWS.values():
        fault_type = f"Client.{row.code}" if row.client else f"Server.ClientProxy.{row.code}"
        body = f'{{"reason": "{row.reason}"}}'.encode()
        fault = read_fault(500, {"X-Road-Error": fault_type}, body)
        assert fault is not None
        assert fault.reason == row.reason
        if type(fault) is GatewayFault:
            plain.add(row.reason)
        if row.client and row.reason != "gateway-busy":
            assert isinstance(fault, InvalidRequest), row
    assert plain == WITHOUT_A_CLASS
