"""The run's report: one HTML file that opens from disk, with no network."""
