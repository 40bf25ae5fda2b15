"""The Open Inference Protocol v2: its datatypes, its JSON form and its binary tensor extension.

Everything here is pure: bytes to requests, arrays to bytes. HTTP and gRPC share it.
"""
