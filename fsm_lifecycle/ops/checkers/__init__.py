"""Checkers: small functions that look at one thing of one database and yield what is wrong. They mend nothing."""
