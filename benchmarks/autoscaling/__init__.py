"""The real HPA on a real control plane, and the twin beside it."""
