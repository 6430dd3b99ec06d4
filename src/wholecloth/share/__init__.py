"""What leaves the examination: record, figures, report, terminal text.  Made from the record."""
