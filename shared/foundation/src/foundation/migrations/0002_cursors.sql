-- How far each consumer has come in each source's history (foundation.cursor).
create table cursors (
    consumer text not null,
    source text not null,
    epoch integer not null,
    last bigint not null,
    leaf bytea not null,
    primary key (consumer, source)
);
