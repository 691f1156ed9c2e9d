// Package sqlstore is the store engine for SQL databases: SQLite, embedded by
// modernc.org/sqlite, needs no server and no C toolchain.
//
// # What it guarantees
//
// A write that returned nil is on the disk: SQLite runs in WAL mode with
// synchronous=FULL, so every commit is flushed (fsync) before it is
// acknowledged, and an intent survives a power cut, not only the end of the
// process. synchronous=NORMAL would save the flush, a few milliseconds on a
// disk without a write cache, and could lose the last commits with the power:
// exactly the intents that tell what was under way. A pass commits a handful of
// times, so the flush is not what bounds it.
//
// One call is one transaction. Memories are written in the order of their key,
// which touches each page once.
//
// # Processes
//
// Several processes may open the same file. Readers never wait for the writer
// and see the state of one instant. Writers take turns (BEGIN IMMEDIATE), each
// waiting up to Options.LockWait and then giving up with store.ErrLocked. Which
// of them may write is decided by the lease, checked inside the transaction
// that it guards. Inside one process there is a single writing connection, so
// goroutines queue without the file lock.
//
// The file must be on a local disk: network file systems do not give the locks
// and the shared memory that WAL mode needs.
//
// # The log beside the file
//
// FILE-wal holds commits until they are copied into FILE. That happens when it
// has grown to 64 MB and when the last process closes the file. A backup is
// "sqlite3 FILE .backup COPY", or a copy of FILE and FILE-wal together while
// nothing has it open.
package sqlstore
