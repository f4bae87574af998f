-- The test service: runs, the suites and platforms they belong to, and which runs belong together.
--
-- Ids of other services (owner_id, bug_id, ...) are plain columns: no database can check another's.
-- Within a service there are no foreign keys either, because rows arrive in any order here.

CREATE TABLE platforms (
  id integer PRIMARY KEY,
  name text NOT NULL,
  os text,
  arch text
);

CREATE TABLE test_suites (
  id bigint PRIMARY KEY,
  name text NOT NULL,
  component text,
  owner_id bigint  -- user service
);

CREATE TABLE test_runs (
  id text PRIMARY KEY,
  test_name text NOT NULL,
  status text NOT NULL,
  suite_id bigint,
  platform_id integer,
  owner_id bigint,      -- user service
  bug_id text,          -- bug service
  mutation_id uuid,     -- mutation service
  image_id text,        -- image service
  changelist_id text,   -- project service
  workspace_id text,    -- workspace service
  attempt integer NOT NULL DEFAULT 1,
  flaky boolean,
  duration numeric(12, 3),  -- seconds
  cost numeric,             -- an exact amount of money, of any scale
  score double precision,
  labels text[],
  parameters jsonb,
  environment json,
  log text,                 -- up to megabytes: stored out of line
  scheduled_on date,
  retain_until timestamptz, -- may be infinity
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);
-- Kept uncompressed, so that a log of a few kilobytes is out of line (TOAST) already.
ALTER TABLE test_runs ALTER COLUMN log SET STORAGE EXTERNAL;

CREATE TABLE related_runs (
  run_a text,
  run_b text,
  kind text,  -- retry, bisect, duplicate
  note text,
  PRIMARY KEY (run_a, run_b, kind),
  CHECK (run_a <> run_b)
);
