"""Loading: one batch into the tables and the ledger, in one transaction."""
