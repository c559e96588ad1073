"""Owns the log: entries, canonical bytes, hashes and the chain of each record.

Must not know: who may do what, HTTP, and every package on a higher floor.
"""
