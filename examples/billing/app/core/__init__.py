"""What every part of the panel, and every plugin, may import: the database and the doors."""
