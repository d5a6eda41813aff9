"""Plain SGD to checkpoints, and the factors of every checkpoint."""
