"""Why a password was not rotated."""


class CannotRotate(Exception):  # noqa: N818
    """Carries a sentence without any secret. Whichever step it ends, the password that was in force is still."""
