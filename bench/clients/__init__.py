"""Ways to call AWS: the function's own client, other libraries for its parts, botocore and boto3."""
