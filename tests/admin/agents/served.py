"""The admin under a real server, in a process of its own: ``python -m tests.admin.agents.served wsgi|asgi FD``.

``STREAM_INTERVAL``, ``STREAM_HEARTBEAT``, ``STREAM_CAP`` and so on change a stream's times. Must not know the tests.
"""

import os
import socket
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from fsm_lifecycle.admin.agents.stream import StreamPage  # noqa: E402

for name in ("interval", "idle", "heartbeat", "cap", "lifetime"):
    if seconds := os.environ.get(f"STREAM_{name.upper()}"):
        setattr(StreamPage, name, float(seconds))


def wsgi(listening: socket.socket) -> None:
    """As ``runserver`` serves: a thread for each request."""
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIServer

    from django.core.servers.basehttp import WSGIRequestHandler
    from django.core.wsgi import get_wsgi_application

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), WSGIRequestHandler, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    server.server_address = listening.getsockname()
    server.server_name, server.server_port = "127.0.0.1", listening.getsockname()[1]
    server.setup_environ()
    server.set_app(get_wsgi_application())
    server.serve_forever(0.05)


def asgi(listening: socket.socket) -> None:
    """Under uvicorn."""
    import uvicorn
    from django.core.asgi import get_asgi_application

    config = uvicorn.Config(get_asgi_application(), lifespan="off", log_level="warning")
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    {"wsgi": wsgi, "asgi": asgi}[sys.argv[1]](socket.socket(fileno=int(sys.argv[2])))
