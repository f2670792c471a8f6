"""CEs that are drained and checked, jobs that a CE keeps back."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "wm_drains",
        sa.Column("ce", sa.String(255), primary_key=True,
                  comment="GlueCEUniqueID, or the name of a configured CE: all its queues"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(1024), nullable=False, comment="who asked, or a part of the service"),
        sa.Column("since", sa.Float(53), nullable=False, comment="epoch s"),
    )
    op.create_table(
        "ja_checks",
        sa.Column("backend", sa.String(64), primary_key=True),
        sa.Column("asked", sa.Float(53), nullable=False, comment="epoch s"),
        sa.Column("finished", sa.Float(53), comment="epoch s"),
        sa.Column("report", sa.LargeBinary(), nullable=False, comment="JSON: what works so far"),
    )
    op.add_column("lm_watches", sa.Column("held", sa.Float(53), comment="epoch s: since when the CE keeps it back"))
