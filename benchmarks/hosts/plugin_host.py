"""The same panel as a host; the measured routes come with the plugin `sample`."""

from panel import create_panel

from hotbay import Hotbay

app = create_panel()
hotbay = Hotbay(app, admin=lambda: None)
