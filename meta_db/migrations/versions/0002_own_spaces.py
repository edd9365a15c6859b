"""Spaces of people's own: what was searched, and the weights that were learned from it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """From the first schema."""
    op.add_column("autometa_task", sa.Column("distributions", sa.Text))
    op.create_table(
        "autometa_weights",
        sa.Column("space", sa.String(128), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("tasks", sa.BigInteger, nullable=False),
        sa.Column("claimed", sa.Float),
    )
