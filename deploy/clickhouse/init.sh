#!/bin/bash
# Run once by the image, on an empty volume: database, tables, and the one user that wholecloth has.
set -euo pipefail
# A hash is hexadecimal, so that it can be put into the statement.
hash=$(tr -d '\r\n' < /run/secrets/password | sha256sum | cut -c 1-64)
clickhouse-client --query "CREATE DATABASE IF NOT EXISTS photographs ENGINE = Atomic"
clickhouse-client --database photographs --multiquery < /wholecloth/schema.sql
clickhouse-client --query \
  "CREATE USER IF NOT EXISTS wholecloth IDENTIFIED WITH sha256_hash BY '$hash' DEFAULT DATABASE photographs"
clickhouse-client --multiquery < /wholecloth/grants.sql
