"""The one place of the version: the API range of manifests is compared with it."""

__version__ = "0.1.0"
