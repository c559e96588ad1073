"""The admin: ``LifecycleAdmin`` for a model's own pages, and the lifecycle section.

Django's autodiscovery imports this package, which puts the section on the default site. For another site:
``LifecycleSection.register(site)``.
"""

from __future__ import annotations

from django.contrib import admin

from fsm_lifecycle.admin.model_admin.lifecycle_admin import LifecycleAdmin
from fsm_lifecycle.admin.section.section import LifecycleSection

__all__ = ["LifecycleAdmin", "LifecycleSection"]

LifecycleSection.register(admin.site)
