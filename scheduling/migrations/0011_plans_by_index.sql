-- A session plans a function's statements once. Planned while the table was empty and known to be so, they read it from
-- end to end ever after, or until the table is analysed again: a booking then cost three times as much. Here an index
-- is the right way however few rows there are.
ALTER FUNCTION take_time(
    uuid, uuid, timestamptz, timestamptz, text, boolean, uuid, timestamptz, timestamptz, timestamptz, timestamptz
) SET enable_seqscan = off;
