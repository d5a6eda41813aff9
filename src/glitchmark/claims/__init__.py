"""What papers say against what was measured: claims.yaml, and files of the user's own, checked on a run's tables."""
