"""What separate processes must agree on, said once: names, paths, ports and the server's settings."""
