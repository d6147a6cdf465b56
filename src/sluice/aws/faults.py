"""What can go wrong in a call of AWS."""


class AwsError(Exception):
    """A call of AWS that failed. `code` is AWS's error code, or botocore's name for what befell the connection.

    AWS's own message is left out, since it may quote what it was sent.
    """

    def __init__(self, code: str, operation: str = "", status: int = 0) -> None:
        super().__init__(f"{operation}: {code}" if operation else code)
        self.code = code
        self.operation = operation
        self.status = status


class ConnectionFault(AwsError):  # noqa: N818
    """No answer came."""
