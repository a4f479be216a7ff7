"""One module per revision of the gateway's schema; each names the revision that it follows."""
