"""One description of the metrics, alarms, dashboard and saved queries, and what is generated from it.

To add a metric, an alarm or a query, add an entry to `metrics.py`, to a module of `alarms/` or to `queries.py`, then
run `make docs`. It writes the block of template.yaml, the page of the reference and the table of runbooks.
"""
