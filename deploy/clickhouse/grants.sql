-- All that wholecloth's user may do.  It can make and drop no table, read no other database, and
-- reach no file, address or other server.  ALTER DELETE is what an erasure needs; ClickHouse counts
-- dropping and detaching parts of these tables to the same right.

GRANT SELECT, INSERT, ALTER DELETE ON photographs.postings TO wholecloth;
GRANT SELECT, INSERT, ALTER DELETE ON photographs.pictures TO wholecloth;

-- Which index the tables belong to: taken when an index is made.
GRANT SELECT, INSERT, ALTER DELETE ON photographs.about TO wholecloth;

-- Whether what was erased has left the disk, and how much there is.
GRANT SELECT ON system.parts TO wholecloth;
GRANT SELECT ON system.detached_parts TO wholecloth;
GRANT SELECT ON system.tables TO wholecloth;
