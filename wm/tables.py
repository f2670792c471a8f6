"""The tables of the Workload Manager, which alone writes them. Statements are in the stores beside their topics."""

from __future__ import annotations

import sqlalchemy as sa

from wms.database import metadata

jobs = sa.Table(
    "wm_jobs", metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("phase", sa.String(16), nullable=False),
    sa.Column("submit", sa.LargeBinary, nullable=False),
    sa.Column("sequence_code", sa.String(160), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("deep", sa.Integer, nullable=False),
    sa.Column("shallow", sa.Integer, nullable=False),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("ce", sa.String(255), nullable=False),
    sa.Column("cancelled", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("due", sa.Float, nullable=False),
    sa.Column("parent", sa.String(64), nullable=False, server_default="", comment="unique part of the compound"),
    sa.Column("node", sa.Integer, nullable=False, server_default="-1", comment="index in the compound"),
    sa.Column("lane", sa.String(64), nullable=False, server_default="", comment="wm_lanes.id"),
    sa.Column("submitted", sa.Float, nullable=False, server_default="0", comment="epoch s"),
    sa.Column("placed_at", sa.Float, nullable=False, server_default="0", comment="epoch s, of the last attempt"),
    sa.Column("site_faults", sa.Integer, nullable=False, server_default="0",
              comment="attempts lost to the infrastructure, which the user's retries do not pay for"),
    sa.Column("replans", sa.Integer, nullable=False, server_default="0"),
    sa.Column("decision", sa.String(64), nullable=False, server_default="", comment="wm_decisions.id of the last"),
    sa.Index("wm_jobs_due", "phase", "due"),
    sa.Index("wm_jobs_lane", "phase", "lane", "submitted", "id"),
    sa.Index("wm_jobs_ce", "phase", "ce"),
    sa.Index("wm_jobs_parent", "parent", "phase", sqlite_where=sa.text("parent != ''"),
             postgresql_where=sa.text("parent != ''")),
)
lanes = sa.Table(
    "wm_lanes", metadata,
    sa.Column("id", sa.String(64), primary_key=True, comment="digest of all the others"),
    sa.Column("cls", sa.String(64), nullable=False, comment="class: jobs that matching cannot tell apart"),
    sa.Column("vo", sa.String(255), nullable=False),
    sa.Column("owner", sa.String(1024), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False, comment="given by the site"),
    sa.Column("wish", sa.Integer, nullable=False, comment="Priority of the job description"),
    sa.Column("lazy", sa.Boolean, nullable=False),
)
usage = sa.Table(
    "wm_usage", metadata,
    sa.Column("vo", sa.String(255), primary_key=True),
    sa.Column("owner", sa.String(1024), primary_key=True),
    sa.Column("used", sa.Float, nullable=False, comment="slot seconds, decayed to `at`"),
    sa.Column("at", sa.Float, nullable=False, comment="epoch s"),
)
memories = sa.Table(
    "wm_memories", metadata,
    sa.Column("ce", sa.String(255), primary_key=True),
    sa.Column("cls", sa.String(64), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False, comment="fast ones in a row"),
    sa.Column("changed", sa.Float, nullable=False, comment="epoch s"),
    sa.Column("aside_until", sa.Float, nullable=False, comment="epoch s, 0: in use"),
    sa.Column("trials", sa.Integer, nullable=False),
    sa.Column("trial", sa.String(64), nullable=False, server_default="", comment="the job that tries it"),
)
snapshots = sa.Table(
    "wm_snapshots", metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("at", sa.Float, nullable=False, comment="epoch s"),
    sa.Column("size", sa.Integer, nullable=False, comment="bytes of content"),
    sa.Column("content", sa.LargeBinary, nullable=False, comment="compressed"),
    sa.Index("wm_snapshots_at", "at"),
)
decisions = sa.Table(
    "wm_decisions", metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("at", sa.Float, nullable=False, comment="epoch s"),
    sa.Column("snapshot", sa.String(64), nullable=False),
    sa.Column("inputs", sa.LargeBinary, nullable=False, comment="compressed"),
    sa.Column("outcome", sa.LargeBinary, nullable=False),
    sa.Index("wm_decisions_at", "at"),
    sa.Index("wm_decisions_snapshot", "snapshot"),
)
compounds = sa.Table(
    "wm_compounds", metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("phase", sa.String(16), nullable=False, comment="unfolding, open, cancelling, over"),
    sa.Column("submit", sa.LargeBinary, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("number", sa.Integer, nullable=False, comment="nodes"),
    sa.Column("next", sa.Integer, nullable=False, comment="first node not released yet, where there are no edges"),
    sa.Column("released", sa.Integer, nullable=False),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("cancelled", sa.Integer, nullable=False),
    sa.Column("most_running", sa.Integer, nullable=False, comment="0: no limit"),
    sa.Column("sequence_code", sa.String(160), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("due", sa.Float, nullable=False, comment="epoch s of the next look at it"),
    sa.Index("wm_compounds_due", "phase", "due"),
)
nodes = sa.Table(
    "wm_nodes", metadata,
    sa.Column("compound", sa.String(64), primary_key=True),
    sa.Column("node", sa.Integer, primary_key=True),
    sa.Column("waits", sa.Integer, nullable=False, comment="parents that are not done"),
    sa.Column("colour", sa.String(16), nullable=False, comment="white, grey, green, red, doomed"),
    sa.Index("wm_nodes_next", "compound", "colour", "waits", "node"),
)
edges = sa.Table(
    "wm_edges", metadata,
    sa.Column("compound", sa.String(64), primary_key=True),
    sa.Column("parent", sa.Integer, primary_key=True),
    sa.Column("child", sa.Integer, primary_key=True),
)
drains = sa.Table(
    "wm_drains", metadata,
    sa.Column("ce", sa.String(255), primary_key=True,
              comment="GlueCEUniqueID, or the name of a configured CE: all its queues"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("by", sa.String(1024), nullable=False, comment="who asked, or a part of the service"),
    sa.Column("since", sa.Float(53), nullable=False, comment="epoch s"),
)
