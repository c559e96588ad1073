"""The sample's addresses: a landing page, the admin, the REST API and what it says of itself, and the MCP server."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path

from sample_project.api_docs import ApiDocs
from sample_project.views import Home, favicon

urlpatterns = [
    path("", Home.as_view(), name="home"),
    path("favicon.ico", favicon),
    path("admin/", admin.site.urls),
    path("api/docs/", ApiDocs.as_view(), name="api-docs"),
    path("api/", include("fsm_lifecycle.api.urls")),
]
if find_spec("mcp"):  # the extra [mcp], which `make demo` installs; the rest of the sample runs without
    urlpatterns.append(path("", include("fsm_lifecycle.mcp.urls")))
