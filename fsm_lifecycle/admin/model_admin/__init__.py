"""A model's own pages in the admin: its list, a record, an event of it, and an event on many."""
