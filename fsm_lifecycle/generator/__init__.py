"""``startfsmapp``: from a line of names to an app that works.

Owns reading what was asked for, the files of an app, and putting them in place whole or not at all. Must not know how
pages are shown: the apps it writes know ``fsm_lifecycle.pages``.
"""
