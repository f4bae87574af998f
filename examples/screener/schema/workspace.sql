-- The workspace service: the machines that runs happen on, and what they do now.

CREATE TABLE jobs (
  id bigint PRIMARY KEY,
  name text,
  state text NOT NULL,
  started_at timestamptz
);

CREATE TABLE workspaces (
  id text PRIMARY KEY,
  hostname text NOT NULL,
  status text NOT NULL,
  current_job_id bigint
);
