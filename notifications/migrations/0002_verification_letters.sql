-- A delivery may be a letter that belongs to no notice: the one that verifies an address. Its text is never kept;
-- identity makes the link anew at each attempt, so the row names the verification alone.
ALTER TABLE deliveries ALTER COLUMN notice_id DROP NOT NULL;
ALTER TABLE deliveries ADD COLUMN verification_id uuid;
ALTER TABLE deliveries ADD CHECK (num_nonnulls(notice_id, verification_id) = 1);
ALTER TABLE deliveries ADD UNIQUE (verification_id, channel);
