"""A small host project full of awkward names, keys and tables, run in a process of its own."""
