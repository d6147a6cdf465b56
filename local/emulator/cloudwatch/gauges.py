"""Gap: nothing measures what has a value at each time. Here each minute a thread stores the values of these metrics.

- ApproximateNumberOfMessagesVisible of each queue
  (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html)
- The age of the oldest record that a stream has not delivered, and the limits of a stream (`firehose.metrics`)
"""

import logging
import os
import threading
import time

from ministack.core.responses import request_scope
from ministack.services import sqs

from local.emulator.cloudwatch import metric_store
from local.emulator.environment import MINUTE_SECONDS
from local.emulator.firehose import operations
from local.emulator.firehose.ministack import wait_for_server

_logger = logging.getLogger("sluice.emulator")


def measure_queues() -> None:
    """Store the visible messages of all queues."""
    now = time.time()
    for (account, region, _), queue in list(sqs._queues._data.items()):
        messages = list(queue["messages"])
        visible = sum(message["visible_at"] <= now for message in messages)
        with request_scope(account, region):
            dimensions = {"QueueName": queue["name"]}
            metric_store.record("AWS/SQS", "ApproximateNumberOfMessagesVisible", visible, "Count", dimensions)


def _run(minute: float) -> None:
    wait_for_server()
    pause = threading.Event()
    while True:
        try:
            measure_queues()
            operations.measure_streams()
        except Exception:
            # The next minute must still be measured.
            _logger.exception("The gauges of a minute could not be measured.")
        pause.wait(minute - time.time() % minute)


def patch() -> None:
    minute = float(os.environ[MINUTE_SECONDS])
    threading.Thread(target=_run, args=(minute,), daemon=True, name="gauges").start()
