"""A service on this machine: its document or its model file, as processes. Knows no Kubernetes API."""
