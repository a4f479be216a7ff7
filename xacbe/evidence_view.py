"""How the evidence of a whole exchange looks on a terminal: request, answer, and what brings the two together."""

from rich.console import Console

from member_sdk import EvidenceVerdict
from xacbe.verdict_view import print_checks, print_conclusion, print_verdict


def print_evidence(console: Console, verdict: EvidenceVerdict) -> bool:
    """Print every check of an exchange's evidence and return whether all of it is valid."""
    print_verdict(console, "request", verdict.request)
    console.print()
    print_verdict(console, "answer", verdict.response)
    console.print()
    print_checks(console, verdict.together)
    print_conclusion(console, "exchange", verdict.valid, verdict.reason)
    return verdict.valid
