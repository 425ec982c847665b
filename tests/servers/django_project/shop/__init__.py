"""A web shop: models of every common kind."""
