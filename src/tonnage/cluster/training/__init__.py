"""The life of a training in a cluster: checked, submitted, placed, followed, cancelled, listed.

What its objects are and what they say is decided in ``tonnage.training``; whether its pods find nodes in
``tonnage.gpus``. Here is asked, waited and told.
"""

from __future__ import annotations
