-- What projections need in the vault's database, in the schema of each service: the same two tables as in the service's own database
-- (foundation/migrations 0002 and 0004), because cursor and tables move in one transaction.
create table cursors (
    consumer text not null,
    source text not null,
    epoch integer not null,
    last bigint not null,
    leaf bytea not null,
    primary key (consumer, source)
);

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
