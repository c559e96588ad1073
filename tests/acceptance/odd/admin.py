"""The admin of the awkward models. ``hidden`` is not opened."""

from django.contrib import admin

from fsm_lifecycle.admin import LifecycleAdmin
from tests.acceptance.odd.models import Keyed, Lonely, Long, Odd


@admin.register(Odd)
class OddAdmin(LifecycleAdmin):
    fields = ["text"]


for model in (Keyed, Long, Lonely):
    admin.site.register(model, LifecycleAdmin)
