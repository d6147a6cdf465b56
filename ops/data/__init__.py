"""Files of data: a resource class from a file, a file into a collection, a collection into a file."""
