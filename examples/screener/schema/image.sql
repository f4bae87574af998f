-- The image service: container images and the builds that made them.

CREATE TABLE builds (
  id bigint PRIMARY KEY,
  status text NOT NULL,
  took interval
);

CREATE TABLE images (
  id text PRIMARY KEY,
  repository text,
  tag text,
  build_id bigint
);
