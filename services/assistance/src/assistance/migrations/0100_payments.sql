-- Payments under way: work, not history. Nothing here is plaintext about anybody.

-- When the bank is asked about a batch next, and how often it was.
create table bank_asks (
    batch text primary key,
    asks integer not null,
    next_at timestamptz not null
);

-- What somebody has to look at: a line of the bank's that does not fit, or a payment that a checker should see.
create table payment_exceptions (
    exception text primary key,
    organisation text not null,
    rule text not null,
    file text,
    place integer not null,
    batch text,
    entitlement text,
    instruction text,
    found_at timestamptz not null,
    settled_at timestamptz,
    settled_by text
);

create index on payment_exceptions (organisation, found_at, exception);

-- Days of accounts that were compared.
create table compared_days (
    account text not null,
    day date not null,
    primary key (account, day)
);
