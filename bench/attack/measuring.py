"""What the edge blocks, what it lets through, and what SQL comes of the attacks when there is no edge."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.attack.sending import Answer, progress, send_all
from bench.attack.sent import JSON, PLACES, Sent, in_path, in_query
from bench.attack.statements import logged
from bench.attack.unseen import HELD_OUT, SEEN
from local.stack import Stack

# What no attack is, and makes the service run each of its statements that the corpus's requests could.
HARMLESS = [
    *(place("harmless", "abc") for place in PLACES),
    in_query("harmless", "IS"),
    in_path("harmless", "EDDF"),
    Sent("harmless", "GET", "/v1/airports/EDDF/writes/01M83TX6AKPEC90XWTBJRZ90MF"),
    Sent("harmless", "GET", "/v1/bookings"),
    Sent("harmless", "POST", "/v1/bookings", {"Content-Type": JSON}, b"{}"),
]
LOADED_SECONDS = 8
"""After that a batch of the local stack is in the tables, and the recovery's own statements do not matter: they are
read."""


@dataclass(frozen=True)
class Found:
    attacks: list[Answer]
    benign: list[Answer]
    new_forms: set[str]
    """Statements whose form none of the harmless requests makes."""

    @property
    def blocked(self) -> float:
        return sum(not answer.reached for answer in self.attacks) / len(self.attacks)

    @property
    def held_out(self) -> list[Answer]:
        """The benign requests that no rule was chosen by."""
        return [answer for answer in self.benign if answer.sent.kind == HELD_OUT]

    @property
    def seen(self) -> list[Answer]:
        """The others."""
        return [answer for answer in self.benign if answer.sent.kind == SEEN]

    def by_kind(self) -> dict[str, tuple[int, int]]:
        """How many attacks of each kind there are, and how many of them were blocked."""
        every = Counter(answer.sent.kind for answer in self.attacks)
        blocked = Counter(answer.sent.kind for answer in self.attacks if not answer.reached)
        return {kind: (count, blocked[kind]) for kind, count in every.items()}


def let_through(answers: Sequence[Answer]) -> float:
    """The share that was let through."""
    return sum(answer.reached for answer in answers) / len(answers)


def measure(stack: Stack, attacks: Sequence[Sent], benign: Sequence[Sent]) -> Found:
    """Send all of it through the edge, and the attacks once more straight to the emulator, to see what SQL they
    make."""
    token = stack.machine_token()
    attacked = send_all(stack.api_url, token, attacks, progress("attacks", len(attacks)))
    let_in = send_all(stack.api_url, token, benign, progress("benign", len(benign)))
    time.sleep(LOADED_SECONDS)
    with logged(stack) as logs:
        # Twice: what is only run for a connection's first statement is in it too, or in neither.
        send_all(stack.emulated_url, token, HARMLESS * 2)
        time.sleep(LOADED_SECONDS)
        harmless = logs.forms()
        send_all(stack.emulated_url, token, attacks, progress("attacks without the edge", len(attacks)))
        time.sleep(LOADED_SECONDS)
        return Found(attacked, let_in, logs.forms() - harmless)
