"""The kinds of error that are not bugs."""


class UserError(Exception):
    """A mistake that the user can mend.

    The message is one sentence that says what is wrong, where, what is allowed and what to do. It is
    printed alone, without a traceback.
    """


class Unavailable(UserError):
    """A file is missing, damaged or not the one that was planned with: no fault of the cell.

    It is recorded like any failure, so that the other cells go on, but the next run tries again without being asked.
    """

    MARK = "unavailable: "  # how the recorded reason begins, here and in all that depends on it


class CellError(Exception):
    """A cell that failed by itself: a diverged model, a method that cannot handle its input.

    It is recorded with its reason; the other cells go on.
    """
