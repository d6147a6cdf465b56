"""Contains `ca.pem`: the certificate authorities that sign the certificate of the database."""
