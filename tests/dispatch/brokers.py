"""Owns brokers of a test's own, on ports of their own, so that they can be restarted without harm to anybody."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

PATIENCE = 150.0


#: Below the ports that a kernel gives to whoever connects: none of them is taken while a broker is away.
PORTS = range(15_000, 32_000)


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on now."""
    for port in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as found:
            try:
                found.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


class Broker:
    """A server that can be stopped and started."""

    program: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[Any] | None = None

    @classmethod
    def is_installed(cls) -> bool:
        return shutil.which(cls.program) is not None

    @property
    def url(self) -> str:
        raise NotImplementedError

    def command(self) -> tuple[list[str], dict[str, str]]:
        raise NotImplementedError

    def start(self) -> None:
        """Start it and wait until it answers."""
        command, variables = self.command()
        with (self.folder / f"{self.program}.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env={**os.environ, **variables}, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + PATIENCE
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return
            except OSError:
                assert time.monotonic() < end, f"{self.program} does not answer"
                time.sleep(0.1)

    def stop(self) -> None:
        """Stop it; what it held in memory is gone."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(PATIENCE)
            self.process = None


class Redis(Broker):
    program = "redis-server"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> tuple[list[str], dict[str, str]]:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        return [self.program, *options, "--dir", str(self.folder)], {}


class RabbitMQ(Broker):
    program = "rabbitmq-server"

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def command(self) -> tuple[list[str], dict[str, str]]:
        base = self.folder / "rabbitmq"
        base.mkdir(exist_ok=True)
        plugins = base / "enabled_plugins"
        plugins.write_text("[].")
        conf = base / "rabbitmq.conf"
        conf.write_text(f"listeners.tcp.local = 127.0.0.1:{self.port}\nloopback_users = none\n")
        # Debian's wrapper in the path becomes another user, who may not write here.
        itself = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
        return [str(itself) if itself.exists() else self.program], {
            "RABBITMQ_NODENAME": f"soak{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(conf),
            "RABBITMQ_CONF_ENV_FILE": str(base / "none"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(base / "mnesia"),
            "RABBITMQ_LOG_BASE": str(base / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "HOME": str(base),
        }


KINDS: dict[str, type[Broker]] = {"redis": Redis, "rabbitmq": RabbitMQ}
