"""The app's configuration."""

from django.apps import AppConfig


class HelpdeskConfig(AppConfig):
    name = "sample_project.helpdesk"
    label = "helpdesk"
    verbose_name = "Help desk"
