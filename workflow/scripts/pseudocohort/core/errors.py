"""Errors meant for people: what is wrong, where, and what to do about it."""

from __future__ import annotations


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
