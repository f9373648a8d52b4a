-- The vault: its own instance, its own database (docs/decisions/0003-vault.md). Its tables are in the schema `vault`; search tables
-- are in one schema per service. Services reach the tables of `vault` only through the functions below, which look at who is asking.

create schema vault;

-- One row. `epoch` counts everything that makes what a process remembers void: erasures, restrictions, re-wraps.
create table vault.state (
    one boolean primary key default true check (one),
    master text not null,
    epoch bigint not null,
    index_key bytea not null
);

-- Keys are spread over buckets; each bucket's keys are wrapped under its own wrapping key, itself wrapped by the master key. So an
-- erasure re-wraps the survivors of one bucket, and what has to be scrubbed from the disk is this small table.
create table vault.wrapping_keys (
    bucket smallint primary key,
    wrapped bytea not null
);

-- `owner` is the subject, or several in order with a space between; '' stands for no record.
create table vault.keys (
    kid bytea primary key,
    owner text collate "C" not null,
    purpose text collate "C" not null,
    record text collate "C" not null,
    bucket smallint not null,
    wrapped bytea not null,
    unique (owner, purpose, record)
);

-- The subjects of keys that have several.
create table vault.shares (
    subject text collate "C" not null,
    kid bytea not null references vault.keys on delete cascade,
    primary key (subject, kid)
);
create index on vault.shares (kid);

create table vault.documents (
    digest bytea primary key,
    person text collate "C" not null
);
create index on vault.documents (person);

-- `subject` is whose erasure destroyed the key; `purpose` is null where the key itself was never seen here (reapply).
create table vault.tombstones (
    kid bytea primary key,
    subject text collate "C" not null,
    purpose text collate "C",
    destroyed_at timestamptz not null,
    basis text not null
);
create index on vault.tombstones (subject);

create table vault.erasures (
    subject text collate "C" not null,
    purpose text collate "C" not null,
    basis text not null,
    at timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    is_purged boolean not null default false,
    primary key (subject, purpose)
);

create table vault.restrictions (
    subject text collate "C" not null,
    purpose text collate "C" not null,
    basis text not null,
    at timestamptz not null,
    primary key (subject, purpose)
);

-- Buckets with a destroyed key, whose wrapping key has yet to be replaced and whose traces have yet to be scrubbed from the disk.
create table vault.spoiled (
    bucket smallint primary key,
    since timestamptz not null default clock_timestamp()
);

create table vault.purposes (
    purpose text collate "C" primary key,
    confidential boolean not null
);

create table vault.grants (
    role text not null,
    purpose text collate "C" not null,
    primary key (role, purpose)
);

create table vault.retentions (
    purpose text collate "C" primary key,
    keep_days integer not null check (keep_days >= 0),
    source text not null
);

create table vault.holds (
    subject text collate "C" not null,
    purpose text collate "C" not null default '*',
    reference text not null,
    since timestamptz not null,
    primary key (subject, purpose, reference)
);

create table vault.openings (
    at timestamptz not null default clock_timestamp(),
    principal text not null,
    kid bytea not null,
    purpose text not null,
    event text not null
);
create index on vault.openings (kid, at);

insert into vault.grants (role, purpose) values (current_user, '*');

-- Whoever makes keys holds this lock together with others; erasure and re-wrapping hold it alone, so no key is made past them.
create function vault.shared_lock() returns void language sql as 'select pg_advisory_xact_lock_shared(7301003)';
create function vault.sole_lock() returns void language sql as 'select pg_advisory_xact_lock(7301003)';

create function vault.is_granted(asked text) returns boolean language sql stable as
    'select exists (select from vault.grants g where g.role = session_user and g.purpose in (asked, ''*''))';

create function vault.assert_granted(asked text[]) returns void language plpgsql stable as $$
declare
    forbidden text := (select p from unnest(asked) p where not vault.is_granted(p) limit 1);
begin
    if forbidden is not null then
        raise exception using errcode = 'V0001', message = forbidden;
    end if;
end $$;

create function vault.epoch_v1() returns bigint language sql stable security definer set search_path = pg_catalog as
    'select epoch from vault.state';

create function vault.wrapping_keys_v1() returns table (epoch bigint, master text, index_key bytea, buckets smallint[], wrapped bytea[])
language sql stable security definer set search_path = pg_catalog as $$
    select s.epoch, s.master, s.index_key, w.buckets, w.wrapped
    from vault.state s, (select array_agg(bucket order by bucket) buckets, array_agg(k.wrapped order by bucket) wrapped from vault.wrapping_keys k) w
$$;

-- Get or create keys. The caller offers a fresh key for each (distinct, in order of owner, purpose, record), wrapped under the wrapping
-- keys of `at_epoch`. Answers only where the offer was not taken: 'stale' (the wrapping keys changed: nothing was done), 'refused'
-- (erased or restricted), 'stands' (the key that there was before).
create function vault.keys_for_v1(
    at_epoch bigint, kids bytea[], owners text[], wanted_purposes text[], records text[], buckets smallint[], wrappeds bytea[],
    share_kids bytea[], share_subjects text[]
) returns table (outcome text, ordinal bigint, kid bytea, wrapped bytea)
language plpgsql security definer set search_path = pg_catalog as $$
#variable_conflict use_column
declare
    made bigint;
    forbidden bigint[];
    refused bigint[];
begin
    perform vault.shared_lock();
    if at_epoch is distinct from (select epoch from vault.state) then
        return query select 'stale', 0::bigint, null::bytea, null::bytea;
        return;
    end if;
    select array_agg(w.n) into forbidden from unnest(wanted_purposes) with ordinality w(purpose, n)
        where w.purpose in (select p from unnest(wanted_purposes) p group by p having not vault.is_granted(p));
    select array_agg(n) into refused from (
        select unnest(forbidden) n
        union
        select w.n from unnest(owners, wanted_purposes) with ordinality w(owner, purpose, n)
        join (select subject, purpose from vault.erasures union all select subject, purpose from vault.restrictions) e
        on e.subject = w.owner and e.purpose in (w.purpose, '*')
        union
        select array_position(kids, s.kid) from unnest(share_kids, share_subjects) s(kid, subject)
        join (select subject, purpose from vault.erasures union all select subject, purpose from vault.restrictions) e
        on e.subject = s.subject and e.purpose in (wanted_purposes[array_position(kids, s.kid)], '*')
    ) r;
    insert into vault.keys (kid, owner, purpose, record, bucket, wrapped)
        select w.kid, w.owner, w.purpose, w.record, w.bucket, w.wrapped
        from unnest(kids, owners, wanted_purposes, records, buckets, wrappeds) with ordinality w(kid, owner, purpose, record, bucket, wrapped, n)
        where refused is null or w.n <> all (refused)
        on conflict (owner, purpose, record) do nothing;
    get diagnostics made = row_count;
    if cardinality(share_kids) > 0 then
        insert into vault.shares (subject, kid)
            select s.subject, s.kid from unnest(share_kids, share_subjects) s(kid, subject) join vault.keys k on k.kid = s.kid;
    end if;
    if made < cardinality(kids) then
        return query
            select case when n = any (forbidden) then 'forbidden' else 'refused' end, n, null::bytea, null::bytea from unnest(refused) n
            union all
            select 'stands', w.n, k.kid, k.wrapped
            from unnest(kids, owners, wanted_purposes, records) with ordinality w(kid, owner, purpose, record, n)
            join vault.keys k on k.owner = w.owner and k.purpose = w.purpose and k.record = w.record
            where k.kid <> w.kid and (refused is null or w.n <> all (refused));
    end if;
end $$;

-- Keys by id, with the epoch whose wrapping keys fit.
create function vault.keys_v1(kids bytea[]) returns table (
    epoch bigint, kid bytea, owner text, purpose text, record text, bucket smallint, wrapped bytea, confidential boolean,
    granted boolean, ended_at timestamptz, basis text
) language sql stable security definer set search_path = pg_catalog as $$
    with mine as materialized (select g.purpose from vault.grants g where g.role = session_user)
    select s.epoch, w.kid, k.owner, k.purpose, k.record, k.bucket,
        case when (k.purpose in (select purpose from mine) or '*' in (select purpose from mine)) and r.at is null then k.wrapped end,
        coalesce(p.confidential, false),
        k.purpose in (select purpose from mine) or '*' in (select purpose from mine),
        coalesce(t.destroyed_at, r.at), coalesce(t.basis, r.basis)
    from vault.state s cross join unnest(kids) w(kid)
    left join vault.keys k on k.kid = w.kid
    left join vault.tombstones t on t.kid = w.kid and k.kid is null
    left join vault.purposes p on p.purpose = k.purpose
    left join lateral (
        select x.at, x.basis from vault.restrictions x
        where x.subject = any (string_to_array(k.owner, ' ')) and x.purpose in (k.purpose, '*') order by x.at limit 1
    ) r on true
$$;

create function vault.record_openings_v1(principals text[], kids bytea[], opened_purposes text[], events text[]) returns void
language sql security definer set search_path = pg_catalog as $$
    insert into vault.openings (principal, kid, purpose, event)
    select session_user || ':' || w.principal, w.kid, w.purpose, w.event
    from unnest(principals, kids, opened_purposes, events) w(principal, kid, purpose, event)
$$;

create function vault.persons_v1(digests bytea[], offered text[]) returns table (ordinal bigint, person text)
language plpgsql security definer set search_path = pg_catalog as $$
#variable_conflict use_column
declare
    made bigint;
begin
    perform vault.shared_lock();
    insert into vault.documents (digest, person)
        select w.digest, w.person from unnest(digests, offered) w(digest, person) on conflict (digest) do nothing;
    get diagnostics made = row_count;
    if made < cardinality(digests) then
        return query select w.n, d.person from unnest(digests, offered) with ordinality w(digest, person, n)
            join vault.documents d on d.digest = w.digest where d.person <> w.person;
    end if;
end $$;

create function vault.find_persons_v1(digests bytea[]) returns table (digest bytea, person text)
language sql stable security definer set search_path = pg_catalog as
    'select digest, person from vault.documents where digest = any (digests)';

create function vault.asked_purposes(asked text[]) returns text[] language sql stable as $$
    select case
        when asked is not null then asked
        when vault.is_granted('*') then array['*']
        else (select array_agg(g.purpose) from vault.grants g where g.role = session_user)
    end
$$;

create function vault.new_epoch() returns void language sql as $$
    update vault.state set epoch = epoch + 1;
    select pg_notify('vault', '');
$$;

create function vault.restrict_v1(whom text, asked text[], why text, moment timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog as $$
begin
    perform vault.sole_lock();
    perform vault.assert_granted(vault.asked_purposes(asked));
    insert into vault.restrictions (subject, purpose, basis, at)
        select whom, p, why, moment from unnest(vault.asked_purposes(asked)) p on conflict do nothing;
    perform vault.delete_search_rows(array[whom], vault.asked_purposes(asked));
    perform vault.new_epoch();
end $$;

create function vault.lift_v1(whom text, asked text[]) returns void
language plpgsql security definer set search_path = pg_catalog as $$
begin
    perform vault.sole_lock();
    perform vault.assert_granted(vault.asked_purposes(asked));
    delete from vault.restrictions r where r.subject = whom and (asked is null or r.purpose = any (asked));
    perform vault.new_epoch();
end $$;

-- All keys that a subject has a share in. Two index look-ups: with an "or" between them the whole table would be read.
create function vault.keys_of(whom text) returns setof bytea language sql stable as $$
    select k.kid from vault.keys k where k.owner = whom union all select s.kid from vault.shares s where s.subject = whom
$$;

-- What stands against an erasure; then nothing is destroyed.
create function vault.erasure_refusals(whom text, erased text[], moment timestamptz, ended timestamptz)
returns table (kind text, purpose text, source text, until timestamptz) language sql stable as $$
    select 'held', h.purpose, h.reference, null::timestamptz from vault.holds h
    where h.subject = whom and (h.purpose = '*' or '*' = any (erased) or h.purpose = any (erased))
    union all
    select 'retained', r.purpose, r.source, ended + make_interval(days => r.keep_days) from vault.retentions r
    where ('*' = any (erased) or r.purpose = any (erased))
      and exists (select from vault.keys_of(whom) o(kid) join vault.keys k using (kid) where k.purpose = r.purpose)
      and (ended is null or ended + make_interval(days => r.keep_days) > moment)
$$;

-- Search tables are the tables outside `vault` with a column `person`. An erasure takes the person's rows out of those whose service
-- may use an erased purpose: what such a row was made of cannot be told column by column.
create function vault.delete_search_rows(whom text[], erased text[]) returns void language plpgsql as $$
declare
    target regclass;
begin
    for target in
        select c.oid from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'person' and not a.attisdropped
        where c.relkind = 'r' and n.nspname <> 'vault' and n.nspname !~ '^(pg_|information_schema)'
          and ('*' = any (erased) or exists (
              select from vault.grants g where g.role = pg_get_userbyid(c.relowner) and (g.purpose = '*' or g.purpose = any (erased))
          ))
    loop
        execute format('delete from %s where person = any ($1)', target) using whom;
    end loop;
end $$;

-- Under the sole lock: tombstones, keys, search rows, and the blind index once no key is left.
create function vault.destroy(whom text, erased text[], why text, moment timestamptz) returns void language plpgsql as $$
begin
    insert into vault.erasures (subject, purpose, basis, at) select whom, p, why, moment from unnest(erased) p on conflict do nothing;
    with doomed as (
        select k.kid, k.purpose, k.bucket from vault.keys_of(whom) o(kid) join vault.keys k using (kid)
        where '*' = any (erased) or k.purpose = any (erased)
    ), marked as (
        insert into vault.tombstones (kid, subject, purpose, destroyed_at, basis)
        select d.kid, whom, d.purpose, moment, why from doomed d on conflict do nothing
    ), spoiled as (
        insert into vault.spoiled (bucket) select distinct d.bucket from doomed d on conflict do nothing
    )
    delete from vault.keys k using doomed d where k.kid = d.kid;
    delete from vault.restrictions r where r.subject = whom and ('*' = any (erased) or r.purpose = any (erased));
    if '*' = any (erased) or not exists (select from vault.keys_of(whom)) then
        delete from vault.documents d where d.person = whom;
    end if;
    perform vault.delete_search_rows(array[whom], erased);
    perform vault.new_epoch();
end $$;

create function vault.erase_v1(whom text, asked text[], why text, moment timestamptz, ended timestamptz)
returns table (kind text, kid bytea, purpose text, source text, until timestamptz)
language plpgsql security definer set search_path = pg_catalog as $$
declare
    erased text[] := vault.asked_purposes(asked);
begin
    perform vault.sole_lock();
    perform vault.assert_granted(erased);
    return query select r.kind, null::bytea, r.purpose, r.source, r.until from vault.erasure_refusals(whom, erased, moment, ended) r;
    if not found then
        perform vault.destroy(whom, erased, why, moment);
        return query select 'destroyed', t.kid, t.purpose, t.basis, t.destroyed_at from vault.tombstones t
            where t.subject = whom and ('*' = any (erased) or t.purpose = any (erased));
    end if;
end $$;

-- An erasure that was decided before the backup was taken that this vault was restored from; `kids` may hold keys it has never seen.
create function vault.reapply_v1(whom text, erased text[], why text, moment timestamptz, kids bytea[]) returns void
language plpgsql security definer set search_path = pg_catalog as $$
begin
    perform vault.sole_lock();
    perform vault.assert_granted(erased);
    perform vault.destroy(whom, erased, why, moment);
    insert into vault.tombstones (kid, subject, destroyed_at, basis) select k, whom, moment, why from unnest(kids) k on conflict do nothing;
end $$;

grant usage on schema vault to public;
