"""What webhooks tell the host project. Must not be listened to by the package itself."""

from django.dispatch import Signal

#: An endpoint was switched off by itself. Sent after the commit, with ``endpoint`` and ``reason``: ``"gone"`` (it
#: answered 410) or ``"failing"`` (five days without a success).
endpoint_disabled = Signal()
