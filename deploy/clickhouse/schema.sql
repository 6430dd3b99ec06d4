-- Tables of one shard; made by wholecloth.retrieval.clickhouse.schema, version 1.

CREATE TABLE IF NOT EXISTS postings
(
    tier UInt8,
    word UInt16,
    image UInt32 CODEC(Delta, ZSTD),
    low UInt64 CODEC(NONE),
    high UInt64 CODEC(NONE)
)
ENGINE = MergeTree ORDER BY (tier, word, image) PARTITION BY intDiv(image, 1048576)
SETTINGS index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, old_parts_lifetime = 1, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 5, temporary_directories_lifetime = 3600;

CREATE TABLE IF NOT EXISTS pictures
(
    image UInt32,
    first UInt16,
    detail UInt16,
    pdq_0 UInt64 CODEC(NONE),
    pdq_1 UInt64 CODEC(NONE),
    pdq_2 UInt64 CODEC(NONE),
    pdq_3 UInt64 CODEC(NONE)
)
ENGINE = MergeTree ORDER BY image
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, old_parts_lifetime = 1, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 5, temporary_directories_lifetime = 3600;

CREATE TABLE IF NOT EXISTS about
(
    key String,
    value String
)
ENGINE = MergeTree ORDER BY key
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, old_parts_lifetime = 1, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 5, temporary_directories_lifetime = 3600;
