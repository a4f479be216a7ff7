"""The security server: puts a member's systems and services behind stamped, logged and authorised messages."""
