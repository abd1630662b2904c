"""Audit of labelled clips: everything wrong or unusual about a data set."""

from vidclass.audit.run import Audit, check

__all__ = ["Audit", "check"]
