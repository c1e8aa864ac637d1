"""Migrations of the state store (alembic). Each says whether it is safe while the version before still runs."""
