"""The sample's site under a real server, started by the tests in a process of its own, with the agents of the tests.

``tests.mcp.served:application`` is for ASGI servers. As a program it is a WSGI server with a thread for each request,
on the listening socket whose descriptor it is given. ``stdio`` serves a user over standard input and output.
"""

import os
import socket
import socketserver
import sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402

from tests.mcp import agents  # noqa: E402

settings.ROOT_URLCONF = "sample_project.urls"
settings.FSM_LIFECYCLE = {"DISPATCH": "command"}
agents.declare()

application = get_asgi_application()


class Threads(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None: ...


def serve(descriptor: int) -> None:
    """A WSGI server on a socket that listens already."""
    server = Threads(("127.0.0.1", 0), Quiet, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=descriptor)
    host, port = server.socket.getsockname()
    server.server_name, server.server_port = host, port
    server.setup_environ()
    server.set_app(get_wsgi_application())
    server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        call_command("lifecycle_mcp", user=sys.argv[2], agent=sys.argv[3])
    else:
        serve(int(sys.argv[1]))
