/*
 * faultfs.h - the disk of one simulated machine: an SQLite VFS in memory that can lose power.
 *
 * What is written is seen at once by every program of the machine (the page cache) and is safe only after a sync of
 * that file.  At a power cut each unsynced write, truncation, creation and deletion survives, is lost, or is torn at
 * 512-byte sectors, each on its own, so in any order; what was synced stays.  A sync also makes the file's name last,
 * as ext4, XFS and btrfs do; the first of a new WAL or journal all names, since SQLite syncs the directory then.  A killed process is the other death: the page
 * cache and other processes live on, its locks are gone.  A sync that fails is over for those writes, as on Linux:
 * they stay visible, no later sync tries them again, and whether they reached the platter is settled there and then.
 *
 * Connections belong to processes.  One thread.  Source of the model: pillai et al., "All file systems are not
 * created equal", OSDI 2014; Rebello et al., "Can applications recover from fsync failures?", ATC 2020.
 */
#ifndef TESTS_SIM_FAULTFS_H
#define TESTS_SIM_FAULTFS_H

#include "common/base.h"

struct disk;

/* Kinds of calls, as a set. */
enum disk_call {
	DISK_OPEN = 1, /* that makes a file */
	DISK_READ = 2,
	DISK_WRITE = 4,
	DISK_SYNC = 8,
	DISK_TRUNCATE = 16,
	DISK_DELETE = 32,
	DISK_SHARE = 64, /* the shared memory of the WAL grows */
	DISK_LOCK = 128,
	DISK_CHANGES = DISK_OPEN | DISK_WRITE | DISK_SYNC | DISK_TRUNCATE | DISK_DELETE,
	DISK_ANY = 255
};
enum disk_fault {
	DISK_POWER_CUT, /* the machine stops at this call */
	DISK_KILL,      /* the process stops at this call */
	DISK_EIO,
	DISK_ENOSPC, /* of calls that take room; others go through */
	DISK_SHORT   /* reads give some of the bytes, then the error */
};

struct disk *disk_new(void);
/* What a copy of the data directory would be, taken now: the bytes that programs see, all of them safe. */
struct disk *disk_clone(const struct disk *like);
void disk_free(struct disk *d); /* after the last connection; accepts NULL */
/* For store_open with STORE_VFS; lives as long as the disk. */
const char *disk_database(const struct disk *d);

/* What is left to chance from here on comes from this. */
void disk_chance(struct disk *d, uint64_t seed);

/* A new process: connections opened from now on belong to it.  Its number, from 1. */
unsigned disk_process(struct disk *d);
/* Connections opened from now on belong to this one again. */
void disk_process_is(struct disk *d, unsigned process);
bool disk_process_alive(const struct disk *d, unsigned process);
/* The connections of what has died are still to be closed: that touches nothing. */
void disk_kill(struct disk *d, unsigned process);
void disk_power_cut(struct disk *d); /* the same for every process */

/*
 * At the call number `calls` from now (0: the next) of these kinds, and at the `times` - 1 that follow.  Only calls of
 * this process count (0: of all).  One fault at a time: the new one replaces what was armed.
 */
void disk_arm(struct disk *d, enum disk_fault fault, unsigned kinds, int64_t calls, int64_t times,
              unsigned process);
void disk_disarm(struct disk *d);
enum disk_fault disk_fault(const struct disk *d); /* that was armed last */
uint64_t disk_hits(const struct disk *d); /* faults that have struck, ENOSPC by quota included */
uint64_t disk_calls(const struct disk *d, unsigned kinds); /* made since disk_new */
uint64_t disk_cuts(const struct disk *d);
/* Writes that a power cut lost, and tore. */
uint64_t disk_lost(const struct disk *d);
uint64_t disk_torn(const struct disk *d);
/* Bytes that the files (and shared memory) may take; < 0: any number. */
void disk_quota(struct disk *d, int64_t bytes);
int64_t disk_used(const struct disk *d);
/* What a call is, for a story: "write jinguo.db-wal 4096+24"; of the last one that was struck. */
const char *disk_struck(const struct disk *d);

#endif
