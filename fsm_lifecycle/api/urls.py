"""The addresses of the API: ``path("api/", include("fsm_lifecycle.api.urls"))``."""

from __future__ import annotations

from fsm_lifecycle.api.routes import routes

app_name = "fsm_lifecycle_api"
urlpatterns = routes()
