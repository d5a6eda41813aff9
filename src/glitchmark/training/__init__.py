"""Training to checkpoints, and the factors of every checkpoint."""
