"""Ground floor: what every stage uses."""
