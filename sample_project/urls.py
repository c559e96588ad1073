"""The sample's addresses: a landing page and the admin."""

from django.contrib import admin
from django.urls import path

from sample_project.views import Home

urlpatterns = [
    path("", Home.as_view(), name="home"),
    path("admin/", admin.site.urls),
]
