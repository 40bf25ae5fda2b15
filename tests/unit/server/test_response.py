"""What stands in the heads of answers."""

from __future__ import annotations

import time
from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st

from tonnage.server.http.response import http_date


@given(st.integers(0, 253_402_300_799))
def test_a_date_is_written_as_mail_writes_it(seconds):
    """Any second from 1970 to the year 9999 reads as the standard library's mail date does."""
    assert http_date(time.gmtime(seconds)).decode() == formatdate(seconds, usegmt=True)
