"""The lifecycle section of the admin: one module for each page, all on the frame of ``page``."""
