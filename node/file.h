/*
 * file.h - small files of the data directory: read whole with a bound, written atomically.
 *
 * Written beside, synced, renamed, directory synced: after a power cut there is the old file or the new
 * one, never half of one.
 */
#ifndef NODE_FILE_H
#define NODE_FILE_H

#include "common/buf.h"
#include "common/error.h"

/* "dir/name" into ret_path; false if it does not fit. */
bool file_path(const char *dir, const char *name, char *ret_path, size_t room);
/* Appends the content.  -ERR_FILE_READ: there is none, or not to be read.  Refuses more than the buffer's maximum. */
int file_read(const char *path, struct buf *out, struct error *err);
int file_write(const char *path, struct span content, unsigned mode, struct error *err);
bool file_exists(const char *path);

#endif
