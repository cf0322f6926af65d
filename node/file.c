/*
 * file.c - see file.h.
 */
#include <unistd.h> /* declares sleep: before base.h, which poisons it */

#include "common/base.h"

#include "node/file.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { PATH_ROOM = 1100 };

bool file_path(const char *dir, const char *name, char *ret_path, size_t room)
{
	int n = snprintf(ret_path, room, "%s/%s", dir, name);

	return n > 0 && (size_t)n < room;
}

bool file_exists(const char *path)
{
	struct stat s;

	return lstat(path, &s) == 0;
}

int file_read(const char *path, struct buf *out, struct error *err)
{
	int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint8_t piece[4096];

	if (fd < 0) return error_set(err, ERR_FILE_READ, "", "%s: %s", path, strerror(errno));
	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n < 0 && errno == EINTR) continue;
		if (n < 0) rc = error_set(err, ERR_FILE_READ, "", "%s: %s", path, strerror(errno));
		if (n <= 0) break;
		buf_add(out, piece, (size_t)n);
		if (out->full) {
			rc = error_set(err, ERR_FILE_FORM, "", "%s: larger than it may be", path);
			break;
		}
	}
	close(fd);
	return rc;
}

static int write_all(int fd, struct span s)
{
	while (s.len) {
		ssize_t n = write(fd, s.p, s.len);

		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) return -1;
		s.p += n;
		s.len -= (size_t)n;
	}
	return 0;
}

/* The rename itself must be durable: otherwise the old name may come back. */
static int sync_directory_of(const char *path)
{
	char dir[PATH_ROOM];
	const char *slash = strrchr(path, '/');
	int fd, rc;

	if (!slash)
		snprintf(dir, sizeof(dir), ".");
	else if (slash == path)
		snprintf(dir, sizeof(dir), "/");
	else
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

int file_write(const char *path, struct span content, unsigned mode, struct error *err)
{
	char beside[PATH_ROOM];
	int fd, rc = 0, n = snprintf(beside, sizeof(beside), "%s.new", path);

	if (n < 0 || (size_t)n >= sizeof(beside))
		return error_set(err, ERR_FILE_WRITE, "", "%s: the path is too long", path);
	(void)unlink(beside); /* left by a crash: its mode may be another */
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
	if (fd < 0) return error_set(err, ERR_FILE_WRITE, "", "%s: %s", beside, strerror(errno));
	if (fchmod(fd, (mode_t)mode) || write_all(fd, content) || fsync(fd)) rc = -1;
	if (close(fd)) rc = -1;
	if (rc == 0 && rename(beside, path)) rc = -1;
	if (rc == 0 && sync_directory_of(path)) rc = -1;
	if (rc == 0) return 0;
	rc = error_set(err, errno == ENOSPC ? ERR_DISK_FULL : ERR_FILE_WRITE, "", "%s: %s", path,
	               strerror(errno));
	(void)unlink(beside);
	return rc;
}
