"""Labelled images as one table, whatever layout they were published in.

Public names: :func:`load` (tells the layout by looking), :class:`Table`, :func:`split_by_patient`.
"""

from core.datasets.loading import LAYOUTS, load
from core.datasets.table import COLUMNS, Table, split_by_patient

__all__ = ["COLUMNS", "LAYOUTS", "Table", "load", "split_by_patient"]
