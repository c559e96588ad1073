"""Tests that know the specification's words and nothing of the package's inside."""
