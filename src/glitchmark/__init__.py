"""glitchmark: which training samples are mislabeled or anomalous, and how do we know?"""
