"""Replaying: what the ledger lacks, found in S3 and loaded."""
