"""Verify a deployed stack from outside: through its own URL and the APIs of AWS, with the operator's credentials."""
