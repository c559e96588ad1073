"""Pages of an app's own for the people who work with its records: list, detail, create, edit, delete, fire.

Class-based views, one for each, usable by hand or as ``startfsmapp`` writes them:

.. code-block:: python

    class InvoiceList(LifecycleListView):
        model = Invoice
        columns = ["number", "amount"]

The views link to each other by the names ``list detail create update delete fire`` in the namespace they are routed
in. A view whose page is not routed is not linked to. They render decisions and evaluate no rule. Must not know the
admin.
"""

from fsm_lifecycle.pages.deleting import LifecycleDeleteView
from fsm_lifecycle.pages.detail import LifecycleDetailView
from fsm_lifecycle.pages.editing import LifecycleCreateView, LifecycleUpdateView
from fsm_lifecycle.pages.firing import LifecycleFireView
from fsm_lifecycle.pages.forms import LifecycleForm
from fsm_lifecycle.pages.listing import LifecycleListView
from fsm_lifecycle.pages.page import LifecyclePage, RecordPage

__all__ = [
    "LifecycleCreateView",
    "LifecycleDeleteView",
    "LifecycleDetailView",
    "LifecycleFireView",
    "LifecycleForm",
    "LifecycleListView",
    "LifecyclePage",
    "LifecycleUpdateView",
    "RecordPage",
]
