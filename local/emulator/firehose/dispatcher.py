"""The scheduler of all streams: it runs each due job on a thread and repeats a failed one after a delay."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote

from local.emulator.firehose import metrics, ministack
from local.emulator.firehose.configuration import StreamConfiguration
from local.emulator.firehose.jobs import Job
from local.emulator.firehose.ministack import StreamId
from local.emulator.firehose.spool import Spool
from local.emulator.firehose.stream import Stream

_logger = logging.getLogger("firehose.delivery")
_TICK_SECONDS = 0.05
_RETRY_SECONDS = 5.0

ReadConfiguration = Callable[[StreamId], tuple[StreamConfiguration, int] | None]
"""Returns the configuration and the version of a stream, or None if it does not exist."""


class Dispatcher:
    """`folder` contains the spools. The records that an earlier process left there are delivered too."""

    def __init__(self, folder: Path, read_configuration: ReadConfiguration) -> None:
        self._folder = folder
        self._read_configuration = read_configuration
        self._lock = threading.RLock()
        self._waiting: list[tuple[float, StreamId, Job]] = []
        self._running: Counter[tuple[StreamId, type[Job]]] = Counter()
        self._flushes_everything = False
        self._backs_up = threading.Event()
        self._streams: dict[StreamId, Stream] = {}
        for spool in sorted(folder.glob("*@*@*")):
            self.get_stream(StreamId(*map(unquote, spool.name.split("@"))))

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True, name="firehose-dispatcher").start()

    def get_stream(self, stream_id: StreamId) -> Stream:
        with self._lock:
            if stream_id not in self._streams:
                parts = (stream_id.account, stream_id.region, stream_id.name)
                name = "@".join(quote(part, safe="") for part in parts)
                self._streams[stream_id] = Stream(stream_id, Spool(self._folder / name))
            return self._streams[stream_id]

    def count_records(self) -> int:
        """Count the records that no job has taken yet."""
        with self._lock:
            return sum(stream.count_records() for stream in self._streams.values())

    def measure_streams(self) -> None:
        """Store the gauges of each stream: its limits and the ages of its oldest records."""
        with self._lock:
            streams = dict(self._streams)
        for stream_id, stream in streams.items():
            if self._read_configuration(stream_id):
                metrics.record_state(stream_id, stream.compute_ages())

    def delete_stream(self, stream_id: StreamId) -> None:
        """Delete a stream and its records, as AWS does."""
        with self._lock:
            stream = self._streams.pop(stream_id, None)
            self._waiting = [entry for entry in self._waiting if entry[1] != stream_id]
        if stream is not None:
            stream.discard_records()

    def delete_all_streams(self) -> None:
        for stream_id in list(self._streams):
            self.delete_stream(stream_id)

    def back_up(self) -> None:
        """Deliver in the next round what waits for its backup, however short it has waited. Takes no lock."""
        self._backs_up.set()

    def flush(self, timeout_seconds: float) -> bool:
        """Deliver all buffered records at once. Return False if some remain after the timeout: they stay on disk."""
        start = time.monotonic()
        self._flushes_everything = True
        try:
            while not self._is_idle():
                waited = time.monotonic() - start
                # Jobs that only fail need not delay a stop: the next start runs them again.
                if waited > timeout_seconds or (waited > _RETRY_SECONDS and self._is_idle(ignore_failed=True)):
                    return False
                time.sleep(_TICK_SECONDS)
        finally:
            self._flushes_everything = False
        return True

    def _is_idle(self, *, ignore_failed: bool = False) -> bool:
        with self._lock:
            if self._running.total() or (self._waiting and not ignore_failed):
                return False
            return all(
                stream.is_empty for stream_id, stream in self._streams.items() if self._read_configuration(stream_id)
            )

    def _run(self) -> None:
        while not ministack.is_serving():
            time.sleep(_TICK_SECONDS)
        ministack.wait_until_ready()
        while ministack.is_serving():
            try:
                self._start_due_jobs()
            except Exception:
                # Nothing above this thread can handle the error. The next round must still run.
                _logger.exception("a round of the Firehose dispatcher failed")
            time.sleep(_TICK_SECONDS)

    def _start_due_jobs(self) -> None:
        whole_backup = self._backs_up.is_set()
        self._backs_up.clear()
        with self._lock:
            for stream_id, stream in self._streams.items():
                configuration = self._read_configuration(stream_id)
                if configuration:
                    jobs = stream.take_due_jobs(
                        *configuration, everything=self._flushes_everything, whole_backup=whole_backup
                    )
                    self._waiting += [(0.0, stream_id, job) for job in jobs]
            now, waiting, due = time.monotonic(), [], []
            for entry in self._waiting:
                start_at, stream_id, job = entry
                lane = stream_id, type(job)
                if start_at <= now and self._running[lane] < job.max_concurrency:
                    self._running[lane] += 1
                    due.append((stream_id, job))
                else:
                    waiting.append(entry)
            self._waiting = waiting
        for stream_id, job in due:
            threading.Thread(target=self._run_job, args=(stream_id, job), daemon=True, name="firehose-job").start()

    def _run_job(self, stream_id: StreamId, job: Job) -> None:
        delay: float | None = _RETRY_SECONDS
        try:
            delay = job.run()
        except Exception:
            # Whatever the error is, the records must still be delivered.
            _logger.exception("%s: a job failed unexpectedly", stream_id.name)
        with self._lock:
            self._running[stream_id, type(job)] -= 1
            if delay is not None and stream_id in self._streams:
                self._waiting.append((time.monotonic() + delay, stream_id, job))
