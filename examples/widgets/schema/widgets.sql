-- Widgets, their slots, and the functions that are the only way to change them.

CREATE SCHEMA widgets;

CREATE TYPE widgets.port_type AS ENUM ('P', 'Q', 'R');

CREATE TABLE widgets.widgets (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  serial text NOT NULL UNIQUE CHECK (length(serial) BETWEEN 1 AND 100),
  name text NOT NULL CHECK (length(name) <= 200)
);

CREATE TABLE widgets.slots (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  widget_id bigint NOT NULL REFERENCES widgets.widgets ON DELETE CASCADE,
  port widgets.port_type NOT NULL,
  peer_id bigint REFERENCES widgets.widgets ON DELETE SET NULL,
  CHECK (peer_id <> widget_id)
);

-- Two widgets associate once on a port type; and a widget's own slots, and those taken by it.
CREATE UNIQUE INDEX slots_of_widget ON widgets.slots (widget_id, port, peer_id);
CREATE INDEX slots_of_peer ON widgets.slots (peer_id) WHERE peer_id IS NOT NULL;

-- Locks are taken in one order, so that nobody waits in a circle: widgets by id, then slots by id.
-- Whoever takes or frees a slot of a widget has locked that widget, with one exception: removing a
-- widget frees slots of its peers, which are taken, so that nobody else looks for them as free.

CREATE FUNCTION widgets.lock_both(serial text, peer text, OUT id bigint, OUT peer_id bigint)
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  locked record;
BEGIN
  IF serial = peer THEN
    RAISE 'a widget cannot be associated with itself' USING ERRCODE = 'PT400';
  END IF;
  -- Only what has been locked counts: one of that serial that was added meanwhile is not.
  FOR locked IN SELECT w.id, w.serial FROM widgets.widgets w
    WHERE w.serial IN (lock_both.serial, lock_both.peer) ORDER BY w.id FOR UPDATE
  LOOP
    IF locked.serial = lock_both.serial THEN
      id := locked.id;
    ELSE
      peer_id := locked.id;
    END IF;
  END LOOP;
  IF id IS NULL OR peer_id IS NULL THEN
    RAISE 'there is no widget %', CASE WHEN id IS NULL THEN serial ELSE peer END
      USING ERRCODE = 'PT404';
  END IF;
END $$;

CREATE FUNCTION widgets.add_widget(serial text, name text, ports widgets.port_type[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  added bigint;
BEGIN
  IF coalesce(array_ndims(ports), 0) <> 1 OR cardinality(ports) > 3
     OR array_position(ports, NULL) IS NOT NULL THEN
    RAISE 'a widget has one to three ports' USING ERRCODE = 'PT400';
  END IF;
  INSERT INTO widgets.widgets (serial, name) VALUES (add_widget.serial, add_widget.name)
    RETURNING id INTO added;
  INSERT INTO widgets.slots (widget_id, port) SELECT added, unnest(ports);
  RETURN added;
END $$;

CREATE FUNCTION widgets.remove_widget(serial text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  removed bigint;
BEGIN
  SELECT w.id INTO removed FROM widgets.widgets w WHERE w.serial = remove_widget.serial FOR UPDATE;
  IF removed IS NULL THEN
    RAISE 'there is no widget %', serial USING ERRCODE = 'PT404';
  END IF;
  -- Two peers may be removed at once: each needs the slots of both.
  PERFORM s.id FROM widgets.slots s
    WHERE s.widget_id = removed OR s.peer_id = removed ORDER BY s.id FOR UPDATE;
  DELETE FROM widgets.widgets w WHERE w.id = removed;
END $$;

CREATE FUNCTION widgets.associate_widgets(serial text, peer text, port widgets.port_type)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  ids record;
  slot bigint;
  peer_slot bigint;
BEGIN
  SELECT * INTO ids FROM widgets.lock_both(serial, peer);
  IF EXISTS (SELECT FROM widgets.slots s WHERE s.widget_id = ids.id
             AND s.port = associate_widgets.port AND s.peer_id = ids.peer_id) THEN
    RAISE '% and % are associated on % already', serial, peer, port USING ERRCODE = 'PT409';
  END IF;
  SELECT min(s.id) INTO slot FROM widgets.slots s
    WHERE s.widget_id = ids.id AND s.port = associate_widgets.port AND s.peer_id IS NULL;
  SELECT min(s.id) INTO peer_slot FROM widgets.slots s
    WHERE s.widget_id = ids.peer_id AND s.port = associate_widgets.port AND s.peer_id IS NULL;
  IF slot IS NULL OR peer_slot IS NULL THEN
    RAISE '% has no free slot %', CASE WHEN slot IS NULL THEN serial ELSE peer END, port
      USING ERRCODE = 'PT409';
  END IF;
  UPDATE widgets.slots s SET peer_id = ids.peer_id WHERE s.id = slot;
  UPDATE widgets.slots s SET peer_id = ids.id WHERE s.id = peer_slot;
END $$;

CREATE FUNCTION widgets.remove_association(serial text, peer text, port widgets.port_type)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  ids record;
  freed bigint;
BEGIN
  SELECT * INTO ids FROM widgets.lock_both(serial, peer);
  UPDATE widgets.slots s SET peer_id = NULL
    WHERE s.port = remove_association.port
    AND (s.widget_id, s.peer_id) IN ((ids.id, ids.peer_id), (ids.peer_id, ids.id));
  GET DIAGNOSTICS freed = ROW_COUNT;
  IF freed = 0 THEN
    RAISE '% and % are not associated on %', serial, peer, port USING ERRCODE = 'PT404';
  END IF;
END $$;

-- The role that commands are called under: these functions, and nothing else. It is to be there:
-- CREATE ROLE widgets_api LOGIN PASSWORD '...'
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA widgets FROM PUBLIC;
GRANT USAGE ON SCHEMA widgets TO widgets_api;
GRANT EXECUTE ON FUNCTION widgets.add_widget, widgets.remove_widget, widgets.associate_widgets,
  widgets.remove_association TO widgets_api;
