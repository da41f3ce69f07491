"""A package, so that its fixtures end with it: while the browser is open, no other test can run an event loop."""
