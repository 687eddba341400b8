"""A Gaussian in the principal components of public profiles, under differential privacy."""
