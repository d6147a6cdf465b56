"""The Firehose of the local stack. It replaces MiniStack's, which writes one object per record.

It supports streams with direct put and an S3 destination (ExtendedS3 or S3), without format conversion and without
dynamic partitioning: limits of a put, buffers by size and time, GZIP, keys, a transform Lambda with retries, the error
prefix, the backup of source records. An accepted record is stored in `<state of the services>/firehose/` until it is
delivered, and is delivered at least once.

The file `<state of the services>/firehose/faults.json` makes puts fail. It is read again after each change:

    {"<stream, or * for all>": {"fail_puts": 3, "fail_share": 0.5}}

`fail_puts` is the number of put requests that are affected from then on. With -1, the default, all are affected until
the file is changed or removed. The retries of an SDK count. Without `fail_share` an affected request fails as a whole
with ServiceUnavailableException (503). With it, that share of the entries of an affected PutRecordBatch fails (every
second one for 0.5), and that share of the affected PutRecords.
"""
