"""One module per revision of the registry's schema; each names the revision that it follows."""
