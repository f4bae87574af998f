-- The bug service: bugs, and each time a test run hit one.

CREATE TYPE severity AS ENUM ('P0', 'P1', 'P2', 'P3', 'P4');

CREATE TABLE bugs (
  id text PRIMARY KEY,
  title text,
  status text NOT NULL,
  severity severity,
  assignee_id bigint,  -- user service
  description text     -- may be long: stored out of line
);
ALTER TABLE bugs ALTER COLUMN description SET STORAGE EXTERNAL;

CREATE TABLE bug_hits (
  id bigint PRIMARY KEY,
  run_id text,         -- test service
  bug_id text,
  hit_at timestamptz NOT NULL,
  confidence real,
  message text
);
