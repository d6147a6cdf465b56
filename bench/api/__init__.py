"""The API's handlers against the same functions made with FastAPI and Mangum, and with Powertools' event handler.

The others do the same work: the same validation of the same resources (pydantic, which FastAPI needs and Powertools'
documentation recommends), the same statements and record, the same line, metrics and traces by Powertools. What is not
the frameworks' is shared by the two, and is what one would write who had not read this project.
"""
