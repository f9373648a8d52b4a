-- What waits to be seen to is found without what has been settled, however much that is.
create index on payment_exceptions (organisation, exception) where settled_at is null;
drop index payment_exceptions_organisation_found_at_exception_idx;
