"""The administrators' edge: the HTTP API of the marketplace and its live events."""
