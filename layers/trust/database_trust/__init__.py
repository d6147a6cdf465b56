"""Holds `ca.pem`: the certificate authorities that the database's certificate must come from."""
