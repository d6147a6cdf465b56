"""The API's handlers, compared with the same functions on FastAPI and Mangum, and on Powertools' event handler.

The other contenders do the same work: the same validation of the same resources (with pydantic, which FastAPI needs and
the documentation of Powertools recommends), the same statements and record, the same log line, metrics and traces with
Powertools. The code that they share is what an author would write who does not know this project.
"""
