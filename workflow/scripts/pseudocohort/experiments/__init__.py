"""Experiments: plug-ins that say which training sets they need and score what comes of them."""
