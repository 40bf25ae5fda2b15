"""The protocol's messages as classes, from the descriptor set beside this file.

They live in a descriptor pool of their own: other projects' clients register the same names in the
default pool, and a model that uses such a client inside this server must not clash with it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

DESCRIPTORS = Path(__file__).with_name("inference.binpb")
SERVICE = "inference.GRPCInferenceService"


def _load() -> dict[str, Any]:
    files = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return {
        message.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"inference.{message.name}"))
        for file in files.file
        for message in file.message_type
    }


MESSAGES = _load()
"""Message name to its class."""


def compiled(proto: Path) -> bytes:
    """The descriptor set of a .proto file; needs grpcio-tools."""
    import tempfile

    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out.binpb")
        code = protoc.main(["protoc", f"-I{proto.parent}", f"--descriptor_set_out={out}", str(proto)])
        if code:
            raise RuntimeError(f"protoc must accept {proto}, got exit code {code}")
        return out.read_bytes()


def main() -> int:
    """Renew the descriptor set, or say whether it is current."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--write", action="store_true", help="write the file; otherwise compare")
    arguments = parser.parse_args()
    root = Path(__file__).parents[4]
    data = compiled(root / "proto" / "inference.proto")
    if arguments.write:
        DESCRIPTORS.write_bytes(data)
        return 0
    if DESCRIPTORS.read_bytes() != data:
        sys.stderr.write(f"{DESCRIPTORS}: must be what proto/inference.proto gives; run ./dev generate\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
