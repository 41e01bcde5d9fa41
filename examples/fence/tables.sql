-- What the three jobs write into: one report a slot. The role that they run as needs, beside rights on this table,
--   GRANT EXECUTE ON FUNCTION crontabber_assert_fence(text, bigint) TO ...;
CREATE TABLE IF NOT EXISTS report (
    run_key text PRIMARY KEY,   -- CRONTABBER_RUN_KEY: job/slot, the same for every attempt at a slot
    attempt integer NOT NULL,   -- CRONTABBER_ATTEMPT
    rows    bigint  NOT NULL    -- what the report says
);
