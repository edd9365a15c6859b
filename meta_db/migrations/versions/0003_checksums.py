"""A checksum of each task's row: its block has had one from the start."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """From 0002; rows of before have none, until they are written again."""
    op.add_column("autometa_task", sa.Column("checksum", sa.String(32)))
