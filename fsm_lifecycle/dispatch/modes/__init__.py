"""The modes of ``DISPATCH``, one module each, which holds a ``MODE``."""
