"""How many pods one replica of the metrics API follows on one core, and how soon it answers the HPA."""
