"""Work ahead: in order, never more than two parts at hand, and no thread left behind."""

import threading
import time
from collections.abc import Iterator

import pytest

from sluice.load.batch_reader import prefetch

pytestmark = pytest.mark.timeout(10)


class Maker:
    """Makes numbers, and knows how far it came."""

    def __init__(self, count: int, error_at: int | None = None) -> None:
        self.made = 0
        self.count, self.error_at = count, error_at

    def parts(self) -> Iterator[int]:
        for number in range(self.count):
            if number == self.error_at:
                raise KeyError(number)
            self.made += 1
            yield number


def comes_to(maker: Maker, made: int) -> bool:
    """Whether so many parts come to be made, and no more in the time after."""
    deadline = time.monotonic() + 5
    while maker.made < made and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    return maker.made == made


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


def test_one_part_is_made_while_another_is_at_work_and_never_a_third() -> None:
    maker = Maker(10)
    with prefetch(maker.parts()) as parts:
        assert comes_to(maker, 1)
        for number in parts:
            assert comes_to(maker, min(number + 2, 10))


@pytest.mark.parametrize("at", [0, 1, 5])
def test_an_error_is_raised_at_its_turn(at: int) -> None:
    taken: list[int] = []
    with prefetch(Maker(10, at).parts()) as parts, pytest.raises(KeyError, match=str(at)):
        taken.extend(parts)
    assert taken == list(range(at))


class Stop(BaseException):
    pass


def test_also_what_is_no_exception_is_raised() -> None:
    def parts() -> Iterator[int]:
        yield 0
        raise Stop

    with pytest.raises(Stop), prefetch(parts()) as taken:
        list(taken)


@pytest.mark.parametrize("take", [0, 1, 2, 9, 10])
def test_leaving_early_ends_the_thread(take: int) -> None:
    maker = Maker(10)
    with prefetch(maker.parts()) as parts:
        assert [next(parts) for _ in range(take)] == list(range(take))
    assert workers() == []
    assert maker.made <= take + 1
    assert comes_to(maker, maker.made)


def test_leaving_with_an_error_ends_the_thread_too() -> None:
    def leave() -> None:
        with prefetch(Maker(10).parts()) as parts:
            raise ZeroDivisionError(next(parts))

    with pytest.raises(ZeroDivisionError):
        leave()


def test_an_error_that_nobody_came_to_is_left_behind() -> None:
    with prefetch(Maker(10, 1).parts()) as parts:
        assert next(parts) == 0
        time.sleep(0.02)


def test_leaving_waits_for_a_part_that_is_being_made() -> None:
    """It reads from what the caller is about to close."""
    started, done = threading.Event(), []

    def slow() -> Iterator[int]:
        started.set()
        time.sleep(0.1)
        done.append(True)
        yield 0

    with prefetch(slow()):
        assert started.wait(5)
    assert done == [True]
