"""The address of the MCP server: ``path("", include("fsm_lifecycle.mcp.urls"))`` serves ``/mcp``."""

from __future__ import annotations

from django.urls import path

from fsm_lifecycle.mcp.view import endpoint

app_name = "fsm_lifecycle_mcp"
urlpatterns = [path("mcp", endpoint, name="mcp")]
