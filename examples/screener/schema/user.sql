-- The user service: who owns things, in which team, and what kind of user that is.

CREATE TABLE teams (
  id bigint PRIMARY KEY,
  name text NOT NULL
);

CREATE TABLE personalities (
  id integer PRIMARY KEY,
  name text NOT NULL  -- developer, QA, manager
);

CREATE TABLE owners (
  id bigint PRIMARY KEY,
  email text NOT NULL,
  full_name text,
  team_id bigint,
  personality_id integer
);
