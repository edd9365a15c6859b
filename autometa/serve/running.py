"""The service on a socket, by uvicorn, until the person or the machine ends it."""

import contextlib
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from autometa.serve.options import OPTIONS


class _Server(uvicorn.Server):
    """A server that tells when it hears."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, and then it is told."""
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()


def run(app: FastAPI, made: socket.socket, ready: Callable[[], None]) -> None:
    """Serves until SIGINT or SIGTERM; requests that are being answered are answered first.

    Args:
        app: What is served.
        made: Where.
        ready: Called once it hears.
    """
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=OPTIONS.grace_seconds,
    )
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn sends on the signal that ended it
        _Server(config, ready).run(sockets=[made])
