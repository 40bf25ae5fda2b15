"""The loops: each gathers values from the run, lets a model decide, and acts at the right virtual time."""
