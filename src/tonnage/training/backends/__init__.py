"""The objects of a job, one file for each kind of operator."""
