"""HTTP as API Gateway's proxy events carry it."""
