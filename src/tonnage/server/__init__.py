"""The model server, as it runs in a pod: HTTP and gRPC in, batches through a model, answers out."""
