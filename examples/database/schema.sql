-- A shop, as one application has it: all in one database.
CREATE TYPE order_state AS ENUM ('open', 'paid', 'shipped', 'returned');
CREATE TYPE size AS (width int, height int);
CREATE DOMAIN stars AS smallint CHECK (VALUE BETWEEN 1 AND 5);
CREATE SCHEMA staff;

CREATE TABLE users (
  id bigint PRIMARY KEY,
  name text NOT NULL,
  email varchar(100) UNIQUE,
  country char(2),
  born date,
  active boolean NOT NULL DEFAULT true,
  score double precision,
  tags text[] NOT NULL DEFAULT '{}',
  settings jsonb,
  avatar bytea,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE products (
  sku text PRIMARY KEY,
  title text NOT NULL,
  description text,
  price numeric(12, 2) NOT NULL,
  weight real,
  box size,
  attributes json,
  barcodes bigint[],
  color text NOT NULL DEFAULT 'grey',
  released timestamp
);

CREATE TABLE orders (
  id uuid PRIMARY KEY,
  user_id bigint REFERENCES users ON DELETE SET NULL,
  state order_state NOT NULL DEFAULT 'open',
  total numeric NOT NULL DEFAULT 0,
  placed_at timestamptz NOT NULL,
  came_from inet,
  note text
);

CREATE TABLE order_items (
  order_id uuid REFERENCES orders ON DELETE CASCADE,
  line smallint,
  sku text NOT NULL REFERENCES products ON DELETE CASCADE,
  quantity int NOT NULL,
  price numeric(10, 2) NOT NULL,
  sum numeric GENERATED ALWAYS AS (quantity * price) STORED,
  PRIMARY KEY (order_id, line)
);

CREATE TABLE reviews (
  id serial PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
  sku text NOT NULL REFERENCES products ON DELETE CASCADE,
  stars stars NOT NULL,
  body text,
  helpful int NOT NULL DEFAULT 0,
  written date NOT NULL
);

CREATE TABLE stock_moves (
  moved_at timestamptz,
  sku text,
  moved int NOT NULL,
  PRIMARY KEY (moved_at, sku)
) PARTITION BY RANGE (moved_at);
CREATE TABLE stock_moves_old PARTITION OF stock_moves FOR VALUES FROM (MINVALUE) TO ('2024-01-01');
CREATE TABLE stock_moves_new PARTITION OF stock_moves FOR VALUES FROM ('2024-01-01') TO (MAXVALUE);

CREATE TABLE staff.employees (
  id int PRIMARY KEY,
  boss int REFERENCES staff.employees ON DELETE SET NULL,
  name text NOT NULL,
  salary money,
  shift_begins time,
  overtime interval,
  on_duty tstzrange
);

CREATE TABLE staff.desks (
  code text NOT NULL,
  floor int NOT NULL,
  network cidr,
  card macaddr,
  flags bit(4)
);
CREATE UNIQUE INDEX desks_code ON staff.desks (code);
ALTER TABLE staff.desks REPLICA IDENTITY USING INDEX desks_code;

-- Of which nobody wants an index: see `exclude`.
CREATE TABLE audit_log (id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), what text);

-- Which cannot be kept: nothing tells one row from another. The status says so, and what helps.
CREATE TABLE visits (at timestamptz NOT NULL, page text NOT NULL);
