"""The app's configuration."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "sample_project.billing"
    label = "billing"
    verbose_name = "Billing"
