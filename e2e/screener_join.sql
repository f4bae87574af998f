-- Every document of the screener's index, by one join over a copy of all seven databases, each in
-- a schema named after its service. It says in SQL what examples/screener/resources declare.
--
-- To be run once, on a fresh copy with an empty schema "oracle".

CREATE INDEX ON bug.bug_hits (run_id);
CREATE INDEX ON test.related_runs (run_b);

-- As documents show moments: ISO 8601 in UTC, no fraction if it is zero, no trailing zeros.
CREATE FUNCTION oracle.iso(moment timestamp) RETURNS text IMMUTABLE LANGUAGE sql AS $$
  SELECT CASE
    WHEN moment IN ('infinity', '-infinity') THEN moment::text
    ELSE regexp_replace(to_char(moment, 'YYYY-MM-DD"T"HH24:MI:SS.US'), '\.?0+$', '')
  END
$$;
CREATE FUNCTION oracle.iso(moment timestamptz) RETURNS text IMMUTABLE LANGUAGE sql AS $$
  SELECT CASE
    WHEN moment IN ('infinity', '-infinity') THEN moment::text
    ELSE oracle.iso(moment AT TIME ZONE 'UTC') || 'Z'
  END
$$;

CREATE VIEW oracle.documents AS
SELECT run.id, jsonb_build_object(
    'id', run.id,
    'testName', run.test_name,
    'testStatus', run.status,
    'attempt', run.attempt,
    'flaky', run.flaky,
    'duration', run.duration,
    'cost', run.cost::text,
    'score', run.score,
    'labels', run.labels,
    'parameters', run.parameters,
    'environment', run.environment::text,
    'log', run.log)
  || jsonb_build_object(
    'scheduledOn', run.scheduled_on::text,
    'retainUntil', oracle.iso(run.retain_until),
    'createdAt', oracle.iso(run.created_at),
    'updatedAt', oracle.iso(run.updated_at),
    'mutationId', run.mutation_id,
    'imageId', run.image_id,
    'changelist', run.changelist_id,
    'workspaceId', run.workspace_id,
    'testSuite', suite.name,
    'component', suite.component,
    'platform', platform.name,
    'platformOs', platform.os)
  || jsonb_build_object(
    'owner', owner.email,
    'ownerName', owner.full_name,
    'ownerTeam', owner_team.name,
    'personality', personality.name,
    'suiteOwner', suite_owner.email,
    'suiteOwnerTeam', suite_owner_team.name,
    'bugId', bug.id,
    'bugTitle', bug.title,
    'bugStatus', bug.status,
    'bugSeverity', bug.severity,
    'bugDescription', bug.description,
    'bugAssignee', bug_assignee.email)
  || jsonb_build_object(
    'mutationCoverage', mutation.coverage,
    'mutationState', mutation.state,
    'mutantsKilled', mutation.killed,
    'imageTag', image.tag,
    'imageBuildStatus', build.status,
    'imageBuildTook', build.took::text,
    'changelistTitle', changelist.title,
    'commitHash', encode(changelist.commit_hash, 'base64'),
    'submittedAt', oracle.iso(changelist.submitted_at),
    'projectName', project.name,
    'primary', primary_branch.name,
    'primaryProtected', primary_branch.protected)
  || jsonb_build_object(
    'workspaceHostname', workspace.hostname,
    'workspaceStatus', workspace.status,
    'workspaceJob', job.name,
    'workspaceJobState', job.state,
    'workspaceJobStartedAt', oracle.iso(job.started_at),
    'bugHits', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
          'id', hit.id,
          'hitAt', oracle.iso(hit.hit_at),
          'confidence', hit.confidence,
          'message', hit.message,
          'bugId', hit_bug.id,
          'bugStatus', hit_bug.status,
          'bugSeverity', hit_bug.severity,
          'assignee', assignee.email)
        ORDER BY hit.hit_at DESC, hit.id::text COLLATE "C"), '[]')
      FROM bug.bug_hits hit
      LEFT JOIN bug.bugs hit_bug ON hit_bug.id = hit.bug_id
      LEFT JOIN "user".owners assignee ON assignee.id = hit_bug.assignee_id
      WHERE hit.run_id = run.id),
    'relatedRuns', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
          'kind', link.kind,
          'note', link.note,
          'runId', far.id,
          'testName', far.test_name,
          'testStatus', far.status)
        ORDER BY link.run_a COLLATE "C", link.run_b COLLATE "C", link.kind COLLATE "C"), '[]')
      FROM (
        SELECT run_b AS far_id, run_a, run_b, kind, note FROM test.related_runs WHERE run_a = run.id
        UNION ALL
        SELECT run_a AS far_id, run_a, run_b, kind, note FROM test.related_runs WHERE run_b = run.id
      ) link
      LEFT JOIN test.test_runs far ON far.id = link.far_id))
  AS document
FROM test.test_runs run
LEFT JOIN test.test_suites suite ON suite.id = run.suite_id
LEFT JOIN test.platforms platform ON platform.id = run.platform_id
LEFT JOIN "user".owners owner ON owner.id = run.owner_id
LEFT JOIN "user".teams owner_team ON owner_team.id = owner.team_id
LEFT JOIN "user".personalities personality ON personality.id = owner.personality_id
LEFT JOIN "user".owners suite_owner ON suite_owner.id = suite.owner_id
LEFT JOIN "user".teams suite_owner_team ON suite_owner_team.id = suite_owner.team_id
LEFT JOIN bug.bugs bug ON bug.id = run.bug_id
LEFT JOIN "user".owners bug_assignee ON bug_assignee.id = bug.assignee_id
LEFT JOIN mutation.mutations mutation ON mutation.id = run.mutation_id
LEFT JOIN image.images image ON image.id = run.image_id
LEFT JOIN image.builds build ON build.id = image.build_id
LEFT JOIN project.changelists changelist ON changelist.id = run.changelist_id
LEFT JOIN project.projects project ON project.id = changelist.project_id
LEFT JOIN project.primaries primary_branch
  ON (primary_branch.project_id, primary_branch.id)
   = (changelist.project_id, changelist.primary_branch_id)
LEFT JOIN workspace.workspaces workspace ON workspace.id = run.workspace_id
LEFT JOIN workspace.jobs job ON job.id = workspace.current_job_id;
