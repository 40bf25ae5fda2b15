"""What the server measures of itself: recorded cheaply, shared between workers, exposed as one."""
