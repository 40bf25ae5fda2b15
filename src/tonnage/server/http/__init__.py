"""HTTP/1.1 for the model server: bytes in, whole requests out, within limits.

``head`` and ``reader`` are pure; ``connection`` is the only module with a socket; ``response``
builds the bytes that go back.
"""
