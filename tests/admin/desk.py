"""Owns an admin site for the tests' own models, so that what is tested does not depend on the sample project."""

from django.contrib.admin import AdminSite
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.urls import path

from fsm_lifecycle.admin import LifecycleAdmin, LifecycleSection
from tests.testapp.clocks import Case
from tests.testapp.models import Bell, Document, Door, Expense, Invoice, Light, Parcel, Treaty
from tests.testapp.offices import Claim

desk = AdminSite(name="desk")
LifecycleSection.register(desk)


class InvoiceAdmin(LifecycleAdmin):
    list_display = ["__str__", "client_name", "state"]
    list_filter = ["client_name"]
    fields = ["client_name", "amount"]


for model in (Bell, Case, Claim, Document, Door, Expense, Light, Parcel, Treaty):
    desk.register(model, LifecycleAdmin)
desk.register(Invoice, InvoiceAdmin)
desk.register(User, UserAdmin)

urlpatterns = [path("desk/", desk.urls)]
