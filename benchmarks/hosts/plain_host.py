"""Plain FastAPI: the panel and the measured routes."""

from panel import create_panel
from sample_routes import router

app = create_panel()
app.include_router(router, prefix="/api/v1")
