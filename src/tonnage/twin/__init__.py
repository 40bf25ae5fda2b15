"""The twin: a Deployment, its HPA, its cluster and every request to it, in simulated time."""
