"""The models of webhooks, under one roof for the app's ``models.py``."""

from fsm_lifecycle.webhooks.delivery import WebhookAttempt, WebhookDelivery
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint

__all__ = ["WebhookAttempt", "WebhookDelivery", "WebhookEndpoint"]
