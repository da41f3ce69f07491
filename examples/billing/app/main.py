"""The panel with plugins: `uvicorn --app-dir examples/billing app.main:app`."""

from app.core.database import HOST_FOLDER
from app.core.security import current_user, require_admin
from app.factory import create_app
from hotbay import Hotbay

app = create_app(homepage=False)
hotbay = Hotbay(app, admin=require_admin, user=current_user, console="/", frontend=HOST_FOLDER / "frontend")
app.state.hotbay = hotbay
