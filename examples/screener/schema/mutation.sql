-- The mutation service: how much of the code's mutations a run's test detected.

CREATE TABLE mutations (
  id uuid PRIMARY KEY,
  mutator text,
  state text NOT NULL,
  coverage numeric(7, 4),  -- percent
  killed integer,
  survived integer
);
