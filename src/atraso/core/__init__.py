"""The pure centre: flights, features, state, model. Standard library and numpy; no clock, files or network."""
