"""What people read on a page: states, actors, events with their reasons, history, and what an event will do.

Shared by the admin and by an app's own pages. Decides nothing: it renders decisions and entries. Must not know URLs
or requests.
"""
