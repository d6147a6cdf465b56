"""Patch MiniStack, serve it, and stop it without losing what is buffered."""

import asyncio
import importlib
import importlib.util
import logging
import os
import resource
import signal
import socket
from types import ModuleType

from hypercorn.asyncio import serve
from hypercorn.config import Config

PATCHES = (
    "reentrant",
    "lambda_pool",
    "lambda_logs",
    "lambda_concurrency",
    "stepfunctions_errors",
    "stepfunctions_restart",
    "stepfunctions_map",
    "alarms",
    "openapi_import",
    "gateway_requests",
    "gateway_answers",
    "gateway_cache",
    "gateway_keys",
    "gateway_authorizer",
    "gateway_compression",
    "secure_transport",
    "custom_resources",
    "cloudformation_types",
    "secret_rotation",
    "edge_logs",
    "edge_settings",
    "pseudo_parameters",
    "secret_values",
    "principal_arn",
)


def _firehose() -> ModuleType | None:
    name = "local.emulator.firehose"
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def _patch() -> None:
    for name in PATCHES:
        importlib.import_module(f"local.emulator.{name}").patch()
    firehose = _firehose()
    if firehose is not None:
        firehose.patch()


async def _serve(app: object, config: Config) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    async def flushed() -> None:
        await stop.wait()
        firehose = _firehose()
        if firehose is not None:
            # Flushing invokes the transform and puts objects, so the server must still be up.
            await asyncio.to_thread(firehose.flush_all)

    await serve(app, config, shutdown_trigger=flushed)  # type: ignore[arg-type]
    # The state is saved. Executions, deployments and invocations that still go on would hold the process up.
    logging.shutdown()
    os._exit(0)


def _refuse_a_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise OSError(f"port {port} of 127.0.0.1 is not free") from error


def run(port: int) -> None:
    """Serve on 127.0.0.1:port until SIGTERM or SIGINT. Raises OSError when the port is taken, UnexpectedError when a
    patch does not fit."""
    _refuse_a_taken_port(port)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    app = importlib.import_module("ministack.app").app
    _patch()
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = 75
    config.backlog = 512
    asyncio.run(_serve(app, config))
