"""The Open Inference Protocol over gRPC: the same calls, engine and errors as over HTTP."""
