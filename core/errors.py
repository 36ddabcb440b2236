"""Every error a user can meet, as a sentence that says what is wrong and what to do.

Pages and the command line show ``str(error)``; logs keep the trace. Code that cannot go on raises one of these;
anything else that escapes is a defect of ours.
"""


class PlaneLabError(Exception):
    """Base of all errors meant for users. The message is one sentence a doctor can act on."""


class ImageError(PlaneLabError):
    """A file is not an image we can read, or is too large to be read safely."""


class ParameterError(PlaneLabError, ValueError):
    """A setting lies outside what the method allows, or names something that does not exist."""


class ModelError(PlaneLabError):
    """A model is missing, was changed on disk, or does not fit the request."""


class DatasetError(PlaneLabError):
    """A data set is missing, incomplete or of no known layout."""


class Cancelled(PlaneLabError):
    """The user stopped a long computation; what was finished before is kept by the caller."""


class ReviewError(PlaneLabError):
    """A review, or a file of reviews, says something that cannot be."""


class DatabaseError(PlaneLabError):
    """The database of reviews cannot be reached, read or written."""


class StorageError(PlaneLabError):
    """There is no room, or no right, to write a file."""


class MeasurementError(PlaneLabError):
    """A length cannot be measured in this frame."""


class ClusterError(PlaneLabError):
    """Processes that were to share the work cannot be reached, or died."""


LONGEST_QUOTE = 80


def quoted(text: str) -> str:
    """A cell or name of somebody's file for a sentence: in quotes, printable, and cut where it is long."""
    return repr(text) if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]!r}..."
