-- The end of the recovery link that a person used last, in milliseconds since 1970: those that end no later are used up.
ALTER TABLE people ADD COLUMN recovered_until bigint;
