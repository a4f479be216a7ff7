"""The time-stamping authority: answers RFC 3161 requests over HTTP, as a process of its own."""
