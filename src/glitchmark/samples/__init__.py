"""What a run's training data look like before and after glitches: class counts and contact sheets."""
