"""Owns addresses of a site that has the MCP server below another path."""

from django.urls import include, path

urlpatterns = [path("tools/", include([path("v1/", include("fsm_lifecycle.mcp.urls"))]))]
