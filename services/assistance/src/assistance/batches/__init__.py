"""Payment batches 批次: filled by one, checked and frozen by another, released by a third, and sent to the bank once."""
