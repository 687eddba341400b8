"""Denoising diffusion under differential privacy."""
