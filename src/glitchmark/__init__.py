"""glitchmark: which training samples are mislabeled or anomalous, and how do we know?"""

__version__ = "0.1.0"
