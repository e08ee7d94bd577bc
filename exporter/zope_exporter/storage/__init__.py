"""What is read of a database on the disk: Data.fs and blobs."""
