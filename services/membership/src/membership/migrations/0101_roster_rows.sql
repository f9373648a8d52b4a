-- What the dry run read of a file, sealed like it, a batch of rows a row: it is applied as it was checked, and read once. Gone with the file.
create table roster_rows (
    roster text not null,
    batch integer not null,
    sealed bytea not null,
    primary key (roster, batch)
);

-- Ciphertext does not get smaller.
alter table roster_rows alter column sealed set storage external;
alter table roster_files alter column sealed set storage external;

-- Of rosters that wait, the rows are not there yet.
update roster_work set stage = 'checking' where stage in ('checked', 'applying');
