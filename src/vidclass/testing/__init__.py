"""Contract tests for heads and backbones of your own.

>>> import pytest
>>> from vidclass.testing import HEAD_CHECKS, check_head
>>> check_head("my_head")                                            # doctest: +SKIP
>>> @pytest.mark.parametrize("check", HEAD_CHECKS, ids=lambda check: check.__name__)
... def test_my_head(check): check("my_head")

A broken rule raises AssertionError; its message says which.
"""

from vidclass.testing.backbones import check_backbone
from vidclass.testing.heads import HEAD_CHECKS, check_head

__all__ = ["HEAD_CHECKS", "check_backbone", "check_head"]
