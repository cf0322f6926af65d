/*
 * cmd_hand.c - hand-out, hand-in: the journal of a copy that was set aside, or of a device that is replaced, as a file.
 *
 * Taking in goes in small transactions, each entry checked as one from a peer: it may be cut at any place and done again.
 */
#include <unistd.h> /* declares sleep: before base.h, which poisons it */

#include "common/base.h"

#include "node/command.h"

#include <fcntl.h>

#include "node/file.h"
#include "proto/bundle.h"
#include "proto/copies.h"

enum { BATCH = 200, HAND_PATH_ROOM = 1100 };

/* ---- out */

static int write_failed(struct call *c, const char *path)
{
	return error_set(&c->error, errno == ENOSPC ? ERR_DISK_FULL : ERR_FILE_WRITE, "FILE",
	                 "%s: %s", path, strerror(errno));
}

static void progress(struct call *c, int64_t done, int64_t of)
{
	struct buf b;

	if (!c->terminal || c->json) return;
	buf_init(&b, 256);
	word_fill(&b, c->language, WORD_HAND_GOING, call_number(c, done), call_number(c, of),
	          WORD_END);
	call_progress(c, &b);
	buf_done(&b);
	arena_reset(&c->arena);
}

static int seal_tail(struct call *c)
{
	bool sealed;
	int rc = call_begin(c);

	if (rc) return rc;
	rc = replica_seal(c->replica, &sealed);
	return rc ? call_undo(c, rc) : call_commit(c);
}

static int write_journal(struct call *c, FILE *f, const char *path, int64_t *ret_entries)
{
	struct bundle_writer w;
	struct buf piece;
	bool done = false;
	int rc;

	buf_init(&piece, BUNDLE_OUT_MAX);
	rc = bundle_begin(c->replica, &w, &piece);
	*ret_entries = rc ? 0 : w.last + (int64_t)w.certs_left;
	while (!rc && !done) {
		rc = bundle_more(c->replica, &w, &piece, &done);
		if (rc) break;
		if (fwrite(piece.p, 1, piece.len, f) != piece.len) {
			rc = write_failed(c, path);
			break;
		}
		buf_reset(&piece);
		progress(c, w.next, w.last);
	}
	call_progress_end(c);
	if (rc && c->error.code != -rc) call_failed(c, rc);
	if (!rc && (fflush(f) || fsync(fileno(f)))) rc = write_failed(c, path);
	buf_done(&piece);
	return rc;
}

static int out_done(struct call *c, int64_t entries)
{
	struct buf b;

	if (c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "file", json_string(c->args[0]));
		json_object_set_new(j, "entries", json_integer(entries));
		call_json(c, j);
		return 0;
	}
	buf_init(&b, 8192);
	word_fill(&b, c->language, WORD_HANDED_OUT, call_number(c, entries), c->args[0], WORD_END);
	call_say(c, &b);
	buf_done(&b);
	return 0;
}

/* Beside, then renamed: there is a whole file, or none. */
static int run_hand_out(struct call *c)
{
	char beside[HAND_PATH_ROOM];
	const char *path = c->args[0];
	int64_t entries = 0;
	FILE *f = NULL;
	int fd, rc, n = snprintf(beside, sizeof beside, "%s.new", path);

	if (n < 0 || (size_t)n >= sizeof beside)
		return error_set(&c->error, ERR_FILE_WRITE, "FILE", "the path is too long");
	if (file_exists(path))
		return error_set(&c->error, ERR_EXISTS, "FILE", "%s is there already", path);
	rc = call_open(c, 0);
	rc = rc ? rc : seal_tail(c);
	if (rc) return rc;
	(void)unlink(beside);
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0) f = fdopen(fd, "wb");
	if (!f) {
		if (fd >= 0) close(fd);
		return write_failed(c, beside);
	}
	rc = write_journal(c, f, beside, &entries);
	if (fclose(f) && !rc) rc = write_failed(c, beside);
	if (!rc && rename(beside, path)) rc = write_failed(c, path);
	if (rc) (void)unlink(beside);
	return rc ? rc : out_done(c, entries);
}

/* ---- in */

struct taking {
	struct call *c;
	struct bundle_reader reader;
	int64_t fresh, known, refused;
	int first_refused; /* code of the first that was */
	unsigned open;     /* entries in the open transaction */
};

static int commit_batch(struct taking *t)
{
	int rc = t->open ? call_commit(t->c) : 0;

	t->open = 0;
	return rc;
}

static int take_one(struct taking *t, const struct bundle_entry *e)
{
	bool fresh;
	int refused, rc = t->open ? 0 : call_begin(t->c);

	if (rc) return rc;
	t->open++;
	rc = bundle_take(t->c->replica, e, &fresh, &refused);
	if (rc) {
		call_failed(t->c, rc);
		replica_rollback(t->c->replica);
		t->open = 0;
		return rc;
	}
	if (refused && !t->first_refused) t->first_refused = refused;
	t->refused += refused != 0;
	t->fresh += !refused && fresh;
	t->known += !refused && !fresh;
	return t->open < BATCH ? 0 : commit_batch(t);
}

static int take_file(struct taking *t, FILE *f)
{
	uint8_t *piece = mem_alloc(BUNDLE_FEED_MAX);
	struct bundle_entry e;
	int rc = 0;

	while (rc >= 0) {
		size_t n = fread(piece, 1, BUNDLE_FEED_MAX, f);

		if (!n) break;
		bundle_feed(&t->reader, span_of(piece, n));
		while ((rc = bundle_next(&t->reader, &e, &t->c->error)) == 1) {
			rc = take_one(t, &e);
			if (rc) break;
		}
		if (rc) break;
		progress(t->c, (int64_t)t->reader.read, (int64_t)t->reader.entries);
	}
	call_progress_end(t->c);
	free(piece);
	if (!rc && ferror(f))
		rc = error_set(&t->c->error, ERR_FILE_READ, "FILE", "%s", strerror(errno));
	if (!rc && !t->reader.ended)
		rc = error_set(&t->c->error, ERR_FILE_FORM, "FILE",
		               "the file is cut: %" PRIu64 " of %" PRIu64 " entries",
		               t->reader.read, t->reader.entries);
	/* What came before a fault of the file is good. */
	if (t->open) {
		int committed = commit_batch(t);
		rc = rc ? rc : committed;
	}
	return rc;
}

static void in_done(struct taking *t)
{
	struct call *c = t->c;
	struct buf b;

	if (c->json) {
		json_t *j = json_object();
		json_object_set_new(j, "new", json_integer(t->fresh));
		json_object_set_new(j, "known", json_integer(t->known));
		json_object_set_new(j, "refused", json_integer(t->refused));
		json_object_set_new(j, "refused_code",
		                    t->first_refused ? json_integer(t->first_refused)
		                                     : json_null());
		json_object_set_new(j, "whole", json_boolean(t->reader.ended));
		call_json(c, j);
		return;
	}
	buf_init(&b, 1024);
	word_fill(&b, c->language, WORD_HANDED_IN, call_number(c, t->fresh),
	          call_number(c, t->known), call_number(c, t->refused), WORD_END);
	if (t->first_refused) {
		const struct error_info *info = error_info(t->first_refused);
		buf_print(&b, " (JG-%d %s)", t->first_refused,
		          c->language == LANGUAGE_ZH ? info->zh : info->en);
	}
	call_say(c, &b);
	buf_done(&b);
}

static int run_hand_in(struct call *c)
{
	struct taking t = {.c = c};
	FILE *f;
	int stopped, rc = call_open(c, 0);

	if (rc) return rc;
	stopped = replica_stopped(c->replica);
	if (stopped) return error_set(&c->error, stopped, "", "hand in at the copy that was named");
	if (!replica_cert(c->replica))
		return error_set(&c->error, ERR_NOT_JOINED, "", "join first, then hand in");
	f = fopen(c->args[0], "rbe");
	if (!f)
		return error_set(&c->error, ERR_FILE_READ, "FILE", "%s: %s", c->args[0],
		                 strerror(errno));
	bundle_reader_init(&t.reader);
	rc = take_file(&t, f);
	(void)fclose(f);
	if (t.fresh || !rc) {
		int applied = call_apply_all(c);
		rc = rc ? rc : applied;
	}
	in_done(&t);
	bundle_reader_done(&t.reader);
	return rc ? rc : t.refused ? EXIT_PARTLY : 0;
}

const struct command commands_hand[] = {
        {.name = "hand-out",
         .trail = TRAIL_EXPORT,
         .may = MAY_WRITE,
         .args = "FILE",
         .zh = "把本机的全部记录写成一个文件,供另一台收进。",
         .en = "Writes all that this device holds to a file, for another to take in.",
         .examples = "hand-out /media/usb/old.jgb --dir jinguo",
         .args_min = 1,
         .args_max = 1,
         .run = run_hand_out},
        {.name = "hand-in",
         .trail = TRAIL_WRITE,
         .may = MAY_WRITE,
         .args = "FILE",
         .zh = "收进另一台用 hand-out 写出的文件;可以重复。",
         .en = "Takes in a file that hand-out wrote; may be repeated.",
         .examples = "hand-in /media/usb/old.jgb --dir jinguo",
         .args_min = 1,
         .args_max = 1,
         .run = run_hand_in},
        {.name = NULL},
};
