"""Everything wrong or odd with a source of labelled clips."""

from vidclass.audit.run import Audit, check

__all__ = ["Audit", "check"]
