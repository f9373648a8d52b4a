-- A service's history (docs/decisions/0002-event-store.md). Every table is insert-only: nothing here is ever updated, so nothing bloats.

create table events (
    position bigint primary key check (position >= 0),
    recorded_at timestamptz not null,
    version integer not null check (version > 0),
    stream text collate "C" not null check (stream <> ''),
    type text collate "C" not null,
    leaf bytea not null check (octet_length(leaf) = 32),
    record bytea not null check (octet_length(record) between 1 and 60000),
    unique (stream, version)
);

-- Records are mostly ciphertext: trying to compress them costs time and gains nothing.
alter table events alter column record set storage external;

-- The answers to accepted commands, given again for ever; `position` is how far the history had come with that command.
create table commands (
    command_id uuid primary key,
    request_hmac bytea not null,
    result bytea not null,
    position bigint not null
);

-- Declared epochs after the first, which has no row: what the operator gave up, by size and Merkle root.
create table epochs (
    epoch integer primary key check (epoch > 0),
    position bigint not null unique,
    old_origin text not null,
    old_size bigint not null,
    old_root bytea not null check (octet_length(old_root) = 32),
    declared_at timestamptz not null
);

create function history_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'history is append-only: % on % refused', tg_op, tg_table_name using errcode = 'restrict_violation';
end $$;

create trigger append_only before update or delete or truncate on events for each statement execute function history_is_append_only();
create trigger append_only before update or delete or truncate on commands for each statement execute function history_is_append_only();
create trigger append_only before update or delete or truncate on epochs for each statement execute function history_is_append_only();

-- Who holds this lock may read the last position and write the next one; it is released after the commit is durable.
create function lock_history() returns void language sql as 'select pg_advisory_xact_lock(7301001)';

-- Appends a batch of requests in one transaction: r_* one element per request, s_* one per (request, stream), e_* one per event, b_* one
-- per (request, earlier request of this batch that it was decided on), all in the order of the requests; indices count from 1.
-- r_twin is the previous request of this batch with the same command id, s_previous the previous element of s_* on the same stream, or 0.
--
-- Answers one 'head' row (the last position before this batch), then a row for each request that was not appended:
--   'repeated'  its command id was accepted before: position, and result in `record`
--   'reused'    its command id was accepted before with another request
--   'conflict'  `stream` is not at the expected version, or (stream null) its basis failed
-- and the events ('newer') of every stream in conflict, once, after the lowest version that a request expected there.
-- Requests without a row were appended, at the positions that follow from the head and the order.
create function append_v1(
    r_command uuid[], r_hmac bytea[], r_result bytea[], r_events integer[], r_twin integer[],
    b_request integer[], b_basis integer[],
    s_request integer[], s_stream text[], s_expected integer[], s_events integer[], s_previous integer[],
    e_request integer[], e_stream text[], e_version integer[], e_type text[], e_record bytea[], e_leaf bytea[]
) returns table (
    kind text, request integer, "position" bigint, stream text, version integer, type text, record bytea, leaf bytea
) language plpgsql
-- Plans are made once, for index lookups: an early plan on small tables must not outlive their growth.
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
#variable_conflict use_column
declare
    accepted constant integer := 0;
    repeated constant integer := 1;
    reused constant integer := 2;
    conflict constant integer := 3;
    head bigint;
    clean boolean;              -- every request fits: the common case
    known integer[];            -- per request: what the table remembers of its command id (accepted: nothing)
    holder integer[];           -- per request: the one in this batch that holds its command id so far, or 0
    stands integer[];           -- per (request, stream): the stream's version in the table, then after that request
    verdicts integer[] := array_fill(0, array[cardinality(r_events)]);
    blamed integer[] := array_fill(0, array[cardinality(r_events)]);
    verdict integer;
    first integer;
    b integer := 1;
    s integer := 1;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'append_v1 needs read committed: an older snapshot does not see what the lock waited for';
    end if;
    perform lock_history();
    -- Each statement from here on has a snapshot of its own, taken after the lock: it sees all that was committed before.
    select coalesce(max(position), -1) into head from events;

    clean := 0 = all (r_twin)
        and not exists (select from commands c where c.command_id = any (r_command))
        and not exists (
            select from unnest(s_stream, s_expected, s_previous) as a (stream, expected, previous)
            where a.expected <> case
                when a.previous > 0 then s_expected[a.previous] + s_events[a.previous]
                else coalesce((select e.version from events e where e.stream = a.stream order by e.version desc limit 1), 0)
            end
        );

    if not clean then
        select array_agg(coalesce((
            select case when c.request_hmac = r.hmac then repeated else reused end from commands c where c.command_id = r.id
        ), accepted) order by r.i)
        into known from unnest(r_command, r_hmac) with ordinality as r (id, hmac, i);

        select array_agg(coalesce((select e.version from events e where e.stream = a.stream order by e.version desc limit 1), 0) order by a.i)
        into stands from unnest(s_stream) with ordinality as a (stream, i);

        holder := array_fill(0, array[cardinality(r_events)]);
        for r in 1 .. cardinality(r_events) loop
            verdict := known[r];
            if r_twin[r] > 0 and holder[r_twin[r]] > 0 then
                verdict := case when r_hmac[r] = r_hmac[holder[r_twin[r]]] then repeated else reused end;
            end if;
            while b <= cardinality(b_request) and b_request[b] = r loop
                if verdict = accepted and verdicts[b_basis[b]] <> accepted then
                    verdict := conflict;
                end if;
                b := b + 1;
            end loop;
            first := s;
            while s <= cardinality(s_request) and s_request[s] = r loop
                if s_previous[s] > 0 then
                    stands[s] := stands[s_previous[s]];
                end if;
                if verdict = accepted and stands[s] <> s_expected[s] then
                    verdict := conflict;
                    blamed[r] := s;
                end if;
                s := s + 1;
            end loop;
            if verdict = accepted then
                for k in first .. s - 1 loop
                    stands[k] := s_expected[k] + s_events[k];
                end loop;
            end if;
            holder[r] := case when verdict = accepted then r when r_twin[r] > 0 then holder[r_twin[r]] else 0 end;
            verdicts[r] := verdict;
        end loop;
    end if;

    insert into events (position, recorded_at, version, stream, type, leaf, record)
    select head + row_number() over (order by e.i), clock_timestamp(), e.version, e.stream, e.type, e.leaf, e.record
    from unnest(e_request, e_stream, e_version, e_type, e_record, e_leaf) with ordinality
        as e (request, stream, version, type, record, leaf, i)
    where verdicts[e.request] = accepted;

    insert into commands (command_id, request_hmac, result, position)
    select r.id, r.hmac, r.result, r.reached
    from (
        select u.id, u.hmac, u.result, u.i, head + coalesce(sum(u.events) filter (where verdicts[u.i] = accepted) over (order by u.i), 0) as reached
        from unnest(r_command, r_hmac, r_result, r_events) with ordinality as u (id, hmac, result, events, i)
    ) r
    where r.id is not null and verdicts[r.i] = accepted;

    return query select 'head', 0, head, null::text, null::integer, null::text, null::bytea, null::bytea;
    if clean then
        return;
    end if;

    return query
    select 'repeated', r.i::integer, c.position, null::text, null::integer, null::text, c.result, null::bytea
    from unnest(r_command) with ordinality as r (id, i) join commands c on c.command_id = r.id
    where verdicts[r.i] = repeated;

    return query
    select case when v.verdict = reused then 'reused' else 'conflict' end, v.i::integer, null::bigint, s_stream[nullif(v.s, 0)],
        null::integer, null::text, null::bytea, null::bytea
    from unnest(verdicts, blamed) with ordinality as v (verdict, s, i)
    where v.verdict in (reused, conflict);

    return query
    select 'newer', 0, e.position, e.stream, e.version, e.type, e.record, e.leaf
    from (select a.stream, min(a.expected) as expected from unnest(s_stream, s_expected) with ordinality as a (stream, expected, i)
          where a.i = any (blamed) group by a.stream) a
        join events e on e.stream = a.stream and e.version > a.expected
    order by e.position;
end $$;

-- The same for one request on one stream that fits, which is what a lone caller sends; it costs half. Answers the position reached, or
-- null where anything stands against it: then nothing was written, and append_v1 says why.
create function append_one_v1(
    command uuid, hmac bytea, result bytea, stream text, expected integer, types text[], records bytea[], leaves bytea[]
) returns bigint language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
as $$
#variable_conflict use_variable
declare
    head bigint;
    fits boolean;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'append_one_v1 needs read committed: an older snapshot does not see what the lock waited for';
    end if;
    perform lock_history();
    select coalesce((select e.position from events e order by e.position desc limit 1), -1),
        not exists (select from commands c where c.command_id = command)
            and expected = coalesce((select e.version from events e where e.stream = append_one_v1.stream order by e.version desc limit 1), 0)
    into head, fits;
    if not fits then
        return null;
    end if;
    insert into events (position, recorded_at, version, stream, type, leaf, record)
    select head + e.i, clock_timestamp(), expected + e.i, stream, e.type, e.leaf, e.record
    from unnest(types, leaves, records) with ordinality as e (type, leaf, record, i);
    head := head + cardinality(types);
    if command is not null then
        insert into commands (command_id, request_hmac, result, position) values (command, hmac, result, head);
    end if;
    return head;
end $$;
