"""Reviews: what tutors and doctors say of images and of a model's errors (interpretability thesis 000 §4.4 and §5).

A review is a row that is appended and never changed; the newest of a reader for an image counts. Readers work through a
queue (``queues``), blind first, and their answers are compared with each other's and with the model's (``agreement``);
``exchange`` writes them as CSV and reads them back.
"""

from core.reviews.review import CAUSES, MISCLASSIFIED, NONE_OF_THEM, QUEUES, RANDOM, Review, first_reading, newest
from core.reviews.store import DATABASE_VARIABLE, ReviewStore, database_url

__all__ = [
    "CAUSES",
    "DATABASE_VARIABLE",
    "MISCLASSIFIED",
    "NONE_OF_THEM",
    "QUEUES",
    "RANDOM",
    "Review",
    "ReviewStore",
    "database_url",
    "first_reading",
    "newest",
]
