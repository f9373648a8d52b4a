-- Erasure end to end (docs/decisions/0012-erasure.md): dated retention rules, purposes that stay in use while they are kept, and a way
-- to see what a vault restored from an old backup has forgotten.

-- `since`: from when the rule holds. `in_use`: the law has these data kept and also read (vouchers by auditors), so a restriction does not
-- withhold them.
alter table vault.retentions add column since date not null default '-infinity', add column in_use boolean not null default false;
alter table vault.retentions drop constraint retentions_pkey;
alter table vault.retentions add primary key (purpose, since);

-- The rule in force for each purpose at a moment.
create function vault.retentions_at(moment timestamptz)
returns table (purpose text, keep_days integer, source text, in_use boolean) language sql stable as $$
    select distinct on (r.purpose) r.purpose, r.keep_days, r.source, r.in_use from vault.retentions r
    where r.since <= (moment at time zone 'utc')::date order by r.purpose, r.since desc
$$;

create or replace function vault.erasure_refusals(whom text, erased text[], moment timestamptz, ended timestamptz)
returns table (kind text, purpose text, source text, until timestamptz) language sql stable as $$
    select 'held', h.purpose, h.reference, null::timestamptz from vault.holds h
    where h.subject = whom and (h.purpose = '*' or '*' = any (erased) or h.purpose = any (erased))
    union all
    select 'retained', r.purpose, r.source, ended + make_interval(days => r.keep_days) from vault.retentions_at(moment) r
    where ('*' = any (erased) or r.purpose = any (erased))
      and exists (select from vault.keys_of(whom) o(kid) join vault.keys k using (kid) where k.purpose = r.purpose)
      and (ended is null or ended + make_interval(days => r.keep_days) > moment)
$$;

-- What the asking role may use keys for, and under which rule they are kept at a moment.
create function vault.purposes_v1(moment timestamptz) returns table (purpose text, keep_days integer, source text, in_use boolean)
language sql stable security definer set search_path = pg_catalog as $$
    select p, r.keep_days, r.source, coalesce(r.in_use, false)
    from unnest(vault.asked_purposes(null)) p left join vault.retentions_at(moment) r on r.purpose = p order by p
$$;

-- Which of these (subject, purpose) the vault has not erased: it is older than the erasures, or never heard of them.
create function vault.forgotten_v1(subjects text[], asked text[]) returns table (ordinal bigint)
language sql stable security definer set search_path = pg_catalog as $$
    select w.n from unnest(subjects, asked) with ordinality w(subject, purpose, n)
    where not exists (select from vault.erasures e where e.subject = w.subject and e.purpose in (w.purpose, '*'))
$$;

-- As before, but what is restricted already stays as it is: at every start of a service, restrictions are made sure of.
create or replace function vault.restrict_v1(whom text, asked text[], why text, moment timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog as $$
begin
    perform vault.sole_lock();
    perform vault.assert_granted(vault.asked_purposes(asked));
    insert into vault.restrictions (subject, purpose, basis, at)
        select whom, p, why, moment from unnest(vault.asked_purposes(asked)) p on conflict do nothing;
    if not found then
        return;
    end if;
    perform vault.delete_search_rows(array[whom], vault.asked_purposes(asked));
    perform vault.new_epoch();
end $$;
