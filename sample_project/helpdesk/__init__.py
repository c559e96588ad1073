"""The help desk: tickets of a real log, replayed."""
