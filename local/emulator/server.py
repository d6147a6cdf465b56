"""Patch MiniStack, serve it, and stop it without losing buffered records."""

import asyncio
import importlib
import logging
import os
import resource
import signal
import socket

from hypercorn.asyncio import serve
from hypercorn.config import Config

from local.emulator.durability import report

# Modules of this package, in the order in which `patch()` is called. Each is imported only when its turn comes.
PATCHES = (
    # First: MiniStack's services bind the replaced function when they are imported.
    "threads",
    "durability.services",
    "durability.objects",
    "durability.events",
    "functions.pool",
    "functions.logs",
    "functions.concurrency",
    "workflows.executions",
    "workflows.distributed_map",
    "cloudwatch.metric_store",
    "cloudwatch.metric_queries",
    "cloudwatch.service_metrics",
    "cloudwatch.gauges",
    "cloudwatch.alarms",
    "gateway.openapi_import",
    "gateway.validation",
    "gateway.requests",
    "gateway.responses",
    # It wraps the function that gateway.responses installs.
    "gateway.cache",
    "gateway.authorization",
    "iam.condition_keys",
    "iam.endpoint_policies",
    "iam.rds_resources",
    "cloudformation.resource_types",
    "cloudformation.deletions",
    "cloudformation.stored_settings",
    "cloudformation.template_values",
    "secrets.rotation",
    "rds.service",
    "xray.traces",
    "firehose.operations",
)


def run_server(port: int) -> None:
    """Serve on 127.0.0.1:port until SIGTERM or SIGINT.

    Raises OSError if the port is in use, UnexpectedMiniStackError if a patch does not fit.
    """
    _check_port_is_free(port)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    app = importlib.import_module("ministack.app").app
    for name in PATCHES:
        importlib.import_module(f"local.emulator.{name}").patch()
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = 75
    config.backlog = 512
    asyncio.run(_serve(app, config))


def _check_port_is_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise OSError(f"port {port} of 127.0.0.1 is in use") from error


async def _serve(app: object, config: Config) -> None:
    from local.emulator.firehose import operations  # noqa: PLC0415 - only after MiniStack was patched

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, operations.back_up_all)

    async def flush_before_shutdown() -> None:
        await stop.wait()
        # A flush invokes the transform and puts objects, so the server must still answer.
        await asyncio.to_thread(operations.flush_all)

    await serve(app, config, shutdown_trigger=flush_before_shutdown)  # type: ignore[arg-type]
    report.end()
    # The state is saved. Running executions, deployments and invocations must not delay the exit.
    logging.shutdown()
    os._exit(0)
