"""The kinds of error that are not bugs."""


class UserError(Exception):
    """A mistake that the user can mend.

    The message is one sentence that says what is wrong, where, what is allowed and what to do. It is
    printed alone, without a traceback.
    """


class Unavailable(UserError):
    """What should have been downloaded is missing or damaged: no fault of the cell, so that its job ends and nothing is
    recorded; the next run tries again."""


class CellError(Exception):
    """A cell that failed by itself: a diverged model, a method that cannot handle its input.

    It is recorded with its reason; the other cells go on.
    """
