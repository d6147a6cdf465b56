"""The four steps in which Secrets Manager has a password rotated. Each may be called again, after whatever end.

An account lets in by two passwords: the one in force and the one that comes. So nobody is turned away in between, and
whoever read the secret a moment ago still gets in until the next rotation takes that password's place.
"""

import secrets
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sluice.credentials import Credentials
from sluice.rotating.failures import CannotRotate
from sluice.rotating.server import arrived, let_in
from sluice.rotating.versions import CURRENT, PENDING, Versions, credentials
from sluice.settings import DatabaseSettings

_CHARACTERS = string.ascii_letters + string.digits
_LENGTH = 32
# How long the new password may take to arrive at the replica.
PATIENCE = 40.0


@dataclass(frozen=True)
class Rotation:
    """One rotation of one secret, whose pending version is `version`.

    `admin` is asked for who may change users on the `primary`; the new password must let in at each place of
    `entered`. Every step raises CannotRotate, the faults of `sluice.faults` or AwsError.
    """

    versions: Versions
    version: str
    primary: DatabaseSettings
    admin: Callable[[], Credentials]
    entered: Sequence[DatabaseSettings]
    patience: float = PATIENCE

    def step(self, name: str) -> None:
        """Take the step that Secrets Manager names."""
        steps = {
            "createSecret": self._create,
            "setSecret": self._set,
            "testSecret": self._test,
            "finishSecret": self._finish,
        }
        if name not in steps:
            raise CannotRotate("Secrets Manager asks for a step that is none of the four.")
        stages = self.versions.stages(self.version)
        if CURRENT in stages:
            return  # it was all done before
        if PENDING not in stages:
            raise CannotRotate("The version is not pending: no rotation is under way for it.")
        steps[name]()

    def _create(self) -> None:
        if self.versions.pending(self.version) is None:
            password = "".join(secrets.choice(_CHARACTERS) for _ in range(_LENGTH))
            self.versions.put(self.version, {**self.versions.current(), "password": password})

    def _set(self) -> None:
        let_in(self.primary, self.admin(), credentials(self.versions.current()), self._pending())

    def _test(self) -> None:
        # Before a schedule's first rotation Secrets Manager tries this step alone, and leaves open with which value.
        found = self.versions.pending(self.version) or self.versions.current()
        self._see(credentials(found), self.patience)

    def _finish(self) -> None:
        # Seen once more: whoever set the account's password meanwhile, as a change of the instance does, took this out.
        self._see(self._pending(), 0)
        self.versions.promote(self.version)

    def _see(self, who: Credentials, patience: float) -> None:
        for place in self.entered:
            arrived(place, who, patience)

    def _pending(self) -> Credentials:
        found = self.versions.pending(self.version)
        if found is None:
            raise CannotRotate("The pending version holds no password: createSecret comes first.")
        return credentials(found)
