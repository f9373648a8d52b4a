-- Rosters under way (membership.rosters): work, not history. Nothing here is plaintext about anybody.

create table roster_work (
    roster text primary key,
    organisation text not null,
    digest text not null,
    complete boolean not null,
    principal text not null,
    -- Whose key seals the file: a random id, because a destroyed key is not made again.
    file text not null,
    -- checking, checked, applying, applied, refused, failed
    stage text not null,
    received_at timestamptz not null,
    rows integer not null default 0,
    -- Rows dealt with in this stage, and what they came to, by kind.
    done integer not null default 0,
    counts jsonb not null default '{}',
    -- Why the file as a whole was refused.
    rule text,
    arguments jsonb
);

-- The file, sealed in parts under a key of its own; gone once it has been applied.
create table roster_files (
    roster text not null,
    part integer not null,
    sealed bytea not null,
    primary key (roster, part)
);

-- What the dry run found beside joiners: rows that change, move or are refused, and members who are not on a complete roster (row 0).
create table roster_findings (
    roster text not null,
    kind text not null,
    row integer not null,
    person text not null,
    rule text,
    arguments jsonb,
    primary key (roster, kind, row, person)
);
