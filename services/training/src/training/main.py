"""Courses and enrolment: bare for now, with health endpoints only."""

from fastapi import FastAPI


def create_app() -> FastAPI:
    """The service's ASGI application."""
    app = FastAPI(title="training")

    @app.get("/healthz")
    @app.get("/readyz")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app
