"""The clock of all streams: what is due is done, each job on a thread of its own, failed ones again later."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote

from local.emulator.firehose import host
from local.emulator.firehose.jobs import Job
from local.emulator.firehose.settings import Settings
from local.emulator.firehose.spool import Spool
from local.emulator.firehose.stream import Stream

_logger = logging.getLogger("firehose.delivery")
_TICK_SECONDS = 0.05
_RETRY_SECONDS = 5.0

Configuration = Callable[[host.Scope], tuple[Settings, int] | None]
"""The settings and the version of a stream, or None when it does not exist (any more, or yet)."""


class Dispatcher:
    """`folder` keeps the spools. What an earlier process left there is taken up again."""

    def __init__(self, folder: Path, configuration: Configuration) -> None:
        self._folder = folder
        self._configuration = configuration
        self._lock = threading.RLock()
        self._waiting: list[tuple[float, host.Scope, Job]] = []
        self._running: Counter[tuple[host.Scope, type[Job]]] = Counter()
        self._everything = False
        self._streams: dict[host.Scope, Stream] = {}
        for spool in sorted(folder.glob("*@*@*")):
            self.stream(host.Scope(*map(unquote, spool.name.split("@"))))

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True, name="firehose-dispatcher").start()

    def stream(self, scope: host.Scope) -> Stream:
        with self._lock:
            if scope not in self._streams:
                name = "@".join(quote(part, safe="") for part in (scope.account, scope.region, scope.name))
                self._streams[scope] = Stream(scope, Spool(self._folder / name))
            return self._streams[scope]

    def forget(self, scope: host.Scope) -> None:
        """A deleted stream takes its data with it, as on AWS."""
        with self._lock:
            stream = self._streams.pop(scope, None)
            self._waiting = [entry for entry in self._waiting if entry[1] != scope]
        if stream is not None:
            stream.discard()

    def forget_all(self) -> None:
        for scope in list(self._streams):
            self.forget(scope)

    def flush(self, seconds: float) -> bool:
        """Deliver everything buffered without regard to the hints; False when some is left after `seconds`.
        What is left stays spooled."""
        start = time.monotonic()
        self._everything = True
        try:
            while not self._is_idle():
                waited = time.monotonic() - start
                # What only fails need not hold up a stop: the next start takes it up again.
                if waited > seconds or (waited > _RETRY_SECONDS and self._is_idle(failing=True)):
                    return False
                time.sleep(_TICK_SECONDS)
        finally:
            self._everything = False
        return True

    def _is_idle(self, *, failing: bool = False) -> bool:
        with self._lock:
            if self._running.total() or (self._waiting and not failing):
                return False
            return all(stream.is_empty for scope, stream in self._streams.items() if self._configuration(scope))

    def _run(self) -> None:
        while not host.is_serving():
            time.sleep(_TICK_SECONDS)
        host.greet()
        while host.is_serving():
            try:
                self._tick()
            except Exception:
                # The one place where nobody above could do anything: keep the clock going.
                _logger.exception("the Firehose's clock stumbled")
            time.sleep(_TICK_SECONDS)

    def _tick(self) -> None:
        with self._lock:
            for scope, stream in self._streams.items():
                configured = self._configuration(scope)
                if configured:
                    jobs = stream.due(*configured, everything=self._everything)
                    self._waiting += [(0.0, scope, job) for job in jobs]
            now, waiting, due = time.monotonic(), [], []
            for entry in self._waiting:
                lane = entry[1], type(entry[2])
                if entry[0] <= now and self._running[lane] < entry[2].at_once:
                    self._running[lane] += 1
                    due.append(entry[1:])
                else:
                    waiting.append(entry)
            self._waiting = waiting
        for scope, job in due:
            threading.Thread(target=self._do, args=(scope, job), daemon=True, name="firehose-job").start()

    def _do(self, scope: host.Scope, job: Job) -> None:
        wait: float | None = _RETRY_SECONDS
        try:
            wait = job.run()
        except Exception:
            # Whatever it was, the records are still to be delivered.
            _logger.exception("%s: a job stumbled", scope.name)
        with self._lock:
            self._running[scope, type(job)] -= 1
            if wait is not None and scope in self._streams:
                self._waiting.append((time.monotonic() + wait, scope, job))
