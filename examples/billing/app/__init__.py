"""A small billing panel: the host that the plugins of this repository extend."""
