"""Rebuilding: the tables made anew from S3, with or without some writes."""
