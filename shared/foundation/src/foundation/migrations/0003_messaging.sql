-- The relay's checkpoint: the last position the broker has acknowledged (foundation.relay).
create table relay (
    topic text primary key,
    epoch integer not null,
    last bigint not null
);

-- Who does a job that one process at a time should do (foundation.lease).
create table leases (
    name text primary key,
    holder uuid not null,
    until timestamptz not null
);

-- Commands of reactions that a rule refused: final, kept to be looked at (foundation.reactions).
create table refused_reactions (
    consumer text not null,
    source text not null,
    position bigint not null,
    reaction text not null,
    target text not null,
    event uuid not null,
    refusal text not null,
    at timestamptz not null,
    primary key (consumer, source, position, reaction, target)
);

-- Streams whose reactions fail for a reason that trying again does not cure (foundation.parked). One row is the lock that the
-- consumer and a replay share.
create table parked_keys (
    consumer text not null,
    source text not null,
    key text not null,
    error text not null,
    parked_at timestamptz not null,
    primary key (consumer, source, key)
);

-- The events that wait for a parked stream, in order. No content: a replay reads them from the source again.
create table parked_events (
    consumer text not null,
    source text not null,
    key text not null,
    position bigint not null,
    event uuid not null,
    primary key (consumer, source, key, position),
    foreign key (consumer, source, key) references parked_keys
);
