"""A host project of its own, which tests run in processes of their own: a shop whose one model changes with time."""
