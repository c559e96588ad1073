"""An index of the few rows whose first field is NULL. Must not know whose rows they are."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Q


class NullIndex(models.Index):
    """Finds the rows whose first field is NULL, in the order of the others.

    Where the database can, it holds those rows alone and costs the others nothing. MariaDB and MySQL cannot, so there
    it is an index of all. Django's ``condition`` would not do: every ``migrate`` would warn there, and the index
    would lack the field that it is asked by.
    """

    def create_sql(
        self,
        model: type[models.Model],
        schema_editor: BaseDatabaseSchemaEditor,
        using: str = "",
        **kwargs: Any,
    ) -> Any:
        """The statement that makes it."""
        if not schema_editor.connection.features.supports_partial_indexes:
            return super().create_sql(model, schema_editor, using, **kwargs)
        empty, *others = self.fields
        partial = models.Index(fields=others, name=self.name, condition=Q(**{f"{empty}__isnull": True}))
        return partial.create_sql(model, schema_editor, using, **kwargs)
