"""Labelled images as one table, whatever layout they were published in.

Public names: :func:`load` (tells the layout by looking; also phantoms that are simulated while they are read),
:func:`phantoms`, :class:`Table`, :func:`read_pixels` (the one place where a row's image is read),
:func:`split_by_patient`, :func:`refuse_test_examinations` (training asks it first), :func:`without_unreadable`,
:func:`summarise`; and ``core.datasets.download``.
"""

from core.datasets.checking import Summary, summarise, without_unreadable
from core.datasets.held_out import refuse_test_examinations
from core.datasets.layouts import LAYOUTS
from core.datasets.loading import load
from core.datasets.phantoms import phantoms, read_pixels
from core.datasets.problems import Problem
from core.datasets.table import CLASSES, COLUMNS, Table, split_by_patient

__all__ = [
    "CLASSES",
    "COLUMNS",
    "LAYOUTS",
    "Problem",
    "Summary",
    "Table",
    "load",
    "phantoms",
    "read_pixels",
    "refuse_test_examinations",
    "split_by_patient",
    "summarise",
    "without_unreadable",
]
