"""The panel with plugins: `uvicorn --app-dir examples/billing app.main:app`."""

from app.core.security import require_admin
from app.factory import create_app
from hotbay import Hotbay

app = create_app()
hotbay = Hotbay(app, admin=require_admin)
app.state.hotbay = hotbay
