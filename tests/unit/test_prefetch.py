"""Prefetch: in order, never more than two parts at a time, and the thread ends."""

import threading
import time
from collections.abc import Iterator

import pytest

from sluice.load.batch_reader import prefetch

pytestmark = pytest.mark.timeout(10)


class Maker:
    """Produces numbers, and counts them."""

    def __init__(self, count: int, error_at: int | None = None) -> None:
        self.produced = 0
        self.count, self.error_at = count, error_at

    def parts(self) -> Iterator[int]:
        for number in range(self.count):
            if number == self.error_at:
                raise KeyError(number)
            self.produced += 1
            yield number


def reaches(maker: Maker, produced: int) -> bool:
    """Whether this many parts are produced, and no more shortly after."""
    deadline = time.monotonic() + 5
    while maker.produced < produced and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    return maker.produced == produced


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    assert workers() == []
    yield
    assert workers() == []


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_parts_come_in_order(count: int) -> None:
    with prefetch(Maker(count).parts()) as parts:
        assert list(parts) == list(range(count))


def test_one_part_is_read_ahead_and_never_two() -> None:
    maker = Maker(10)
    with prefetch(maker.parts()) as parts:
        assert reaches(maker, 1)
        for number in parts:
            assert reaches(maker, min(number + 2, 10))


@pytest.mark.parametrize("at", [0, 1, 5])
def test_an_error_is_raised_when_its_part_is_due(at: int) -> None:
    received: list[int] = []
    with prefetch(Maker(10, at).parts()) as parts, pytest.raises(KeyError, match=str(at)):
        received.extend(parts)
    assert received == list(range(at))


class Stop(BaseException):
    pass


def test_a_base_exception_is_raised_too() -> None:
    def parts() -> Iterator[int]:
        yield 0
        raise Stop

    with pytest.raises(Stop), prefetch(parts()) as received:
        list(received)


@pytest.mark.parametrize("take", [0, 1, 2, 9, 10])
def test_closing_early_ends_the_thread(take: int) -> None:
    maker = Maker(10)
    with prefetch(maker.parts()) as parts:
        assert [next(parts) for _ in range(take)] == list(range(take))
    assert workers() == []
    assert maker.produced <= take + 1
    assert reaches(maker, maker.produced)


def test_closing_with_an_error_ends_the_thread_too() -> None:
    def leave() -> None:
        with prefetch(Maker(10).parts()) as parts:
            raise ZeroDivisionError(next(parts))

    with pytest.raises(ZeroDivisionError):
        leave()


def test_an_error_of_a_part_that_is_never_due_is_dropped() -> None:
    with prefetch(Maker(10, 1).parts()) as parts:
        assert next(parts) == 0
        time.sleep(0.02)


def test_closing_waits_for_the_part_that_is_being_read() -> None:
    """It reads from the object that the caller closes next."""
    started, done = threading.Event(), []

    def slow() -> Iterator[int]:
        started.set()
        time.sleep(0.1)
        done.append(True)
        yield 0

    with prefetch(slow()):
        assert started.wait(5)
    assert done == [True]
