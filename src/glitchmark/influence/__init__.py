"""Factors -> influence, streamed in row blocks; no torch, no n x m matrix unless somebody asks for it by name."""
