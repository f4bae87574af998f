-- The project service: projects, their primary branches, and the changelists on them.

CREATE TABLE projects (
  id bigint PRIMARY KEY,
  name text NOT NULL
);

CREATE TABLE primaries (
  project_id bigint,
  id integer,  -- counted within the project
  name text NOT NULL,
  protected boolean,
  PRIMARY KEY (project_id, id)
);

CREATE TABLE changelists (
  id text PRIMARY KEY,
  project_id bigint,
  primary_branch_id integer,
  title text,
  commit_hash bytea,
  submitted_at timestamp  -- UTC, without saying so
);
