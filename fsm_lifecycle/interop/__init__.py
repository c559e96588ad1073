"""The table as other libraries expect to see it. Must not decide or write anything itself."""
