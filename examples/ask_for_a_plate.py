"""Ask the register for a plate, and prove the answer: python examples/ask_for_a_plate.py GATEWAY ANCHOR."""

import sys
from pathlib import Path

from member_sdk import Gateway

with Gateway(sys.argv[1], "QROO/MUN/BENITO-JUAREZ/patrullas") as gateway:
    answer = gateway.call("QROO/EST/SSP/vehiculos/placas", "UTR-123-A")
    print(answer.status_code, answer.json())
    verdict = answer.evidence().verify(Path(sys.argv[2]))
    print("evidence valid:", verdict.valid)
