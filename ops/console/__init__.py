"""The console in the browser: a server on loopback for one stack."""
