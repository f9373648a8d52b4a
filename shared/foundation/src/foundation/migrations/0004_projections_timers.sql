-- The builds of each projection (foundation.projections): its tables are <table>_<version>_<build>, and views named <table> show the live
-- build. A build that is not live is being filled by whoever holds its group's lock, or is garbage.
create table projection_builds (
    consumer text not null,
    source text not null,
    projection text not null,
    build integer not null,
    version integer not null,
    tables text[] not null,
    live boolean not null,
    primary key (consumer, source, projection, build)
);

create unique index projection_builds_live on projection_builds (consumer, source, projection) where live;

-- What became of each timer that was fired (foundation.timers). It outlives every rebuild of the due-table.
create table fired_timers (
    timer text primary key,
    fired_at timestamptz not null,
    outcome text not null
);
