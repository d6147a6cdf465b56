"""One module per Lambda function; each is thin."""
