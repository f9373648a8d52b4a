-- The history as a transparency log (docs/decisions/0011-transparency-log.md).

-- Full hash tiles: 256 hashes each, written once. Partial ones are cut from these and from the right edge; entries from events.
create table log_tiles (
    level integer not null check (level between 0 and 7),
    number bigint not null check (number >= 0),
    hashes bytea not null check (octet_length(hashes) = 8192),
    primary key (level, number)
);

-- Hashes do not compress.
alter table log_tiles alter column hashes set storage external;

create trigger append_only before update or delete or truncate on log_tiles for each statement execute function history_is_append_only();

-- How far the tree has grown, and its right edge: the hashes of every level's partial tile, level 0 first. One row, which is also the
-- lock of whoever integrates.
create table log_state (
    single boolean primary key default true check (single),
    size bigint not null check (size >= 0),
    edge bytea not null
);
alter table log_state alter column edge set storage external;
insert into log_state (size, edge) values (0, '');

-- Every checkpoint signed. It is here before anybody sees it; `published_at` says since when it may be seen.
create table log_checkpoints (
    size bigint primary key check (size > 0),
    epoch integer not null,
    root bytea not null check (octet_length(root) = 32),
    note text not null,
    signed_at timestamptz not null,
    published_at timestamptz,
    witnesses text[] not null default '{}'
);
create index log_checkpoints_witnessed on log_checkpoints (size) where witnesses <> '{}';

-- A checkpoint is never taken back: it is published once, and its note may only gain cosignatures.
create function log_checkpoint_is_kept() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and (new.size, new.epoch, new.root, new.signed_at) = (old.size, old.epoch, old.root, old.signed_at)
        and starts_with(new.note, old.note) and new.published_at is not null
        and (old.published_at is null or new.published_at = old.published_at) then
        return new;
    end if;
    raise exception 'a signed checkpoint is kept as it is: % refused', tg_op using errcode = 'restrict_violation';
end $$;

create trigger kept before update or delete on log_checkpoints for each row execute function log_checkpoint_is_kept();
create trigger kept_whole before truncate on log_checkpoints for each statement execute function history_is_append_only();

-- The newest checkpoint of each other log that this service has cosigned as its witness.
create table witnessed (
    origin text primary key,
    size bigint not null check (size >= 0),
    root bytea not null check (octet_length(root) = 32),
    note text not null,
    cosigned_at timestamptz not null
);
