"""Errors meant for people: what is wrong, where, and what to do about it."""

from __future__ import annotations

import errno
import re

#: Errors of the system that the user can mend, and what to do.
_OF_THE_SYSTEM = {
    errno.ENOSPC: "free some space, or work on a larger disk; run again, and finished files stay",
    errno.EDQUOT: "free some space of your quota; run again, and finished files stay",
    errno.EACCES: "give yourself the right to read or write it, or work in another folder",
    errno.EPERM: "give yourself the right to read or write it, or work in another folder",
    errno.EROFS: "work in a folder that can be written to",
}


class UserError(Exception):
    """Bad input that the user can mend.

    Scripts print it as one readable message, without a traceback.

    Parameters
    ----------
    what : str
        What is wrong, with the offending value.
    where : str, optional
        The file, sheet row, column or configuration key concerned.
    remedy : str, optional
        What to do about it.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = what, where, remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.remedy:
            lines.append(f"  remedy: {self.remedy}")
        return "\n".join(lines)


class ContractError(UserError):
    """A file handed from one stage to the next does not keep its contract."""


def of_the_system(error: BaseException) -> UserError | None:
    """A full disk or a missing permission as an error for people; None for any other error.

    A copied folder (:class:`shutil.Error`) has the numbers of its errors in its text only.
    """
    if not isinstance(error, OSError):
        return None
    number, what, file = error.errno, error.strerror, error.filename or ""
    if number is None and (found := re.search(r"\[Errno (\d+)\] ([^:']+)(?:: '([^']+)')?", str(error))):
        number, what, file = int(found[1]), found[2], found[3] or ""
    if number not in _OF_THE_SYSTEM:
        return None
    return UserError(str(what), where=str(file), remedy=_OF_THE_SYSTEM[number])
