"""Why an attempt got no answer. The class's name is what an attempt keeps; texts are for the log of the site.

Must not know what was sent.
"""

from __future__ import annotations

from fsm_lifecycle.exceptions import LifecycleError


class AttemptFailed(LifecycleError):
    """No whole response came."""

    code = "attempt_failed"


class AddressRefused(AttemptFailed):
    """The URL, or what its name resolved to, may not be called."""


class NameNotResolved(AttemptFailed):
    """The host has no address, or nobody said so in time."""


class ConnectFailed(AttemptFailed):
    """Nobody answered at the address, or not in time."""


class TlsFailed(AttemptFailed):
    """The certificate is not right, or no encryption could be agreed on."""


class ConnectionLost(AttemptFailed):
    """The connection ended before the response did."""


class ProtocolBroken(AttemptFailed):
    """What came back is no HTTP."""


class DeadlineExceeded(AttemptFailed):
    """The response was not there, whole, when the time was over."""
