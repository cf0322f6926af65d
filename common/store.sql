-- store.sql: the SQL of store_sqlite*.c.  Named blocks with one statement each are prepared at
-- open (the list is in store_sqlite.h); blocks format_N take a file from format N-1 to N and may hold
-- many.  Domain tables are not here: they come from the descriptors (schema_ddl).
-- Scopes and runs are ordinals.  Every lookup is by index; tests/test_store.c reads the query plans.

-- name: format_1
CREATE TABLE meta(key TEXT PRIMARY KEY NOT NULL, value BLOB) WITHOUT ROWID;
CREATE TABLE scope(ord INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, parent INTEGER NOT NULL,
	feed INTEGER NOT NULL);
CREATE INDEX scope_feed ON scope(feed);
CREATE TABLE run(ord INTEGER PRIMARY KEY, run INTEGER NOT NULL UNIQUE, origin BLOB NOT NULL,
	nonce BLOB NOT NULL);
CREATE INDEX run_origin ON run(origin);

-- rows and lanes that the build which received them did not know
CREATE TABLE other(tbl INTEGER NOT NULL, id BLOB NOT NULL, scope INTEGER NOT NULL, lane INTEGER NOT NULL,
	alive, clock BLOB, extra BLOB, PRIMARY KEY(tbl, id, lane)) WITHOUT ROWID;
CREATE INDEX other_scope ON other(tbl, scope, id);
CREATE INDEX other_id ON other(id);

CREATE TABLE candidate(tbl INTEGER NOT NULL, row BLOB NOT NULL, lane INTEGER NOT NULL, n INTEGER NOT NULL,
	slot INTEGER NOT NULL, kind INTEGER NOT NULL, scope INTEGER NOT NULL, run INTEGER NOT NULL,
	stamp INTEGER NOT NULL, value, PRIMARY KEY(tbl, row, lane, n)) WITHOUT ROWID;
CREATE INDEX candidate_scope ON candidate(scope, row, tbl, lane, n);

CREATE TABLE state(scope INTEGER NOT NULL, lane INTEGER NOT NULL, hash BLOB NOT NULL, feed INTEGER NOT NULL,
	PRIMARY KEY(scope, lane)) WITHOUT ROWID;
CREATE INDEX state_feed ON state(feed);

CREATE TABLE tail(id INTEGER PRIMARY KEY, scope INTEGER NOT NULL, lane INTEGER NOT NULL,
	run INTEGER NOT NULL, first INTEGER NOT NULL, changeset BLOB NOT NULL);
CREATE TABLE stream(scope INTEGER NOT NULL, lane INTEGER NOT NULL, next_seq INTEGER NOT NULL,
	hash BLOB NOT NULL, PRIMARY KEY(scope, lane)) WITHOUT ROWID;

-- head and body last: what filters read lies in the first page of an entry.  journal_feed also carries
-- what a filter asks for, so that a feed's walk touches no entry that it does not send.
CREATE TABLE journal(recv INTEGER PRIMARY KEY, kind INTEGER NOT NULL, lane INTEGER NOT NULL,
	merged INTEGER NOT NULL, scope INTEGER NOT NULL, feed INTEGER NOT NULL, from_run INTEGER NOT NULL,
	origin BLOB NOT NULL, seq_first INTEGER NOT NULL, count INTEGER NOT NULL, seal INTEGER NOT NULL,
	hash BLOB NOT NULL UNIQUE, prev BLOB NOT NULL, rolling BLOB NOT NULL, head BLOB NOT NULL,
	body BLOB NOT NULL);
CREATE INDEX journal_feed ON journal(feed, recv, lane, from_run);
CREATE INDEX journal_scope ON journal(scope, lane, recv, kind);
CREATE INDEX journal_merged ON journal(recv, count) WHERE merged = 1;
CREATE TABLE gap(missing BLOB NOT NULL, recv INTEGER NOT NULL, PRIMARY KEY(missing, recv)) WITHOUT ROWID;
CREATE TABLE word(segment BLOB NOT NULL, admission INTEGER NOT NULL, PRIMARY KEY(segment, admission))
	WITHOUT ROWID;
CREATE TABLE waiting(recv INTEGER PRIMARY KEY);

-- a local thing (recv 0) has no place in the journal: it is known by its change
CREATE TABLE parked(id INTEGER PRIMARY KEY AUTOINCREMENT, recv INTEGER NOT NULL, ordinal INTEGER NOT NULL,
	scope INTEGER NOT NULL, run INTEGER NOT NULL, tbl INTEGER NOT NULL, row BLOB NOT NULL,
	lane INTEGER NOT NULL, admitted INTEGER NOT NULL, stamp INTEGER NOT NULL, cause INTEGER NOT NULL,
	field TEXT NOT NULL, wait BLOB NOT NULL, since_ms INTEGER NOT NULL, by_hub BLOB NOT NULL,
	mine INTEGER NOT NULL);
CREATE UNIQUE INDEX parked_place ON parked(recv, ordinal) WHERE recv > 0;
CREATE UNIQUE INDEX parked_local ON parked(row, lane, run, stamp) WHERE recv = 0;
CREATE INDEX parked_wait ON parked(wait, recv, ordinal);
CREATE INDEX parked_row ON parked(row, lane, recv, ordinal, cause);
CREATE INDEX parked_scope ON parked(scope);
CREATE TABLE refused(id INTEGER PRIMARY KEY AUTOINCREMENT, recv INTEGER NOT NULL, ordinal INTEGER NOT NULL,
	scope INTEGER NOT NULL, run INTEGER NOT NULL, tbl INTEGER NOT NULL, row BLOB NOT NULL,
	lane INTEGER NOT NULL, admitted INTEGER NOT NULL, stamp INTEGER NOT NULL, cause INTEGER NOT NULL,
	field TEXT NOT NULL, wait BLOB NOT NULL, since_ms INTEGER NOT NULL, by_hub BLOB NOT NULL,
	mine INTEGER NOT NULL, UNIQUE(row, lane, run, stamp));
CREATE INDEX refused_mine ON refused(mine, id);
CREATE INDEX refused_scope ON refused(scope);

CREATE TABLE pending(scope INTEGER NOT NULL, month INTEGER NOT NULL, kind INTEGER NOT NULL,
	delta INTEGER NOT NULL, PRIMARY KEY(scope, month, kind)) WITHOUT ROWID;
CREATE TABLE cell(scope INTEGER NOT NULL, month INTEGER NOT NULL, kind INTEGER NOT NULL,
	truth INTEGER NOT NULL, stated INTEGER NOT NULL, refused INTEGER NOT NULL, dirty INTEGER NOT NULL,
	PRIMARY KEY(scope, month, kind)) WITHOUT ROWID;
CREATE INDEX cell_dirty ON cell(dirty) WHERE dirty = 1;

CREATE TABLE cursor(peer_run INTEGER NOT NULL, n INTEGER NOT NULL, peer BLOB NOT NULL, pos INTEGER NOT NULL,
	rolling BLOB NOT NULL, filter BLOB NOT NULL, PRIMARY KEY(peer_run, n)) WITHOUT ROWID;
CREATE TABLE peer(origin BLOB PRIMARY KEY NOT NULL, run INTEGER NOT NULL, acked INTEGER NOT NULL,
	last_contact_ms INTEGER NOT NULL, clock_offset_ms INTEGER NOT NULL, agreed_ms INTEGER NOT NULL,
	bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL, refused INTEGER NOT NULL,
	parked INTEGER NOT NULL, unapplied INTEGER NOT NULL, state BLOB NOT NULL,
	schema_version INTEGER NOT NULL, protocol INTEGER NOT NULL, restored INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE cert(id BLOB PRIMARY KEY NOT NULL, origin BLOB NOT NULL, link BLOB NOT NULL,
	issuer BLOB NOT NULL, unit BLOB NOT NULL, role INTEGER NOT NULL, lanes INTEGER NOT NULL,
	not_before_ms INTEGER NOT NULL, not_after_ms INTEGER NOT NULL, revoked_ms INTEGER NOT NULL,
	body BLOB NOT NULL);
CREATE INDEX cert_origin ON cert(origin, not_before_ms);
CREATE INDEX cert_link ON cert(link, not_before_ms);
CREATE TABLE invite(hash BLOB PRIMARY KEY NOT NULL, unit BLOB NOT NULL, role INTEGER NOT NULL,
	used_by BLOB NOT NULL, made_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, used_ms INTEGER NOT NULL)
	WITHOUT ROWID;

-- Counts that sessions and screens ask for all the time: kept, not counted.  None of these tables is
-- on the path of a merged row.
CREATE TABLE tally(name TEXT PRIMARY KEY NOT NULL, n INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO tally VALUES('candidate', 0), ('gap', 0), ('waiting', 0), ('parked', 0), ('refused', 0),
	('refused_mine', 0);
CREATE TRIGGER gap_in AFTER INSERT ON gap BEGIN
	UPDATE tally SET n = n + 1 WHERE name = 'gap'; END;
CREATE TRIGGER gap_out AFTER DELETE ON gap BEGIN
	UPDATE tally SET n = n - 1 WHERE name = 'gap'; END;
CREATE TRIGGER waiting_in AFTER INSERT ON waiting BEGIN
	UPDATE tally SET n = n + 1 WHERE name = 'waiting'; END;
CREATE TRIGGER waiting_out AFTER DELETE ON waiting BEGIN
	UPDATE tally SET n = n - 1 WHERE name = 'waiting'; END;
CREATE TRIGGER parked_in AFTER INSERT ON parked BEGIN
	UPDATE tally SET n = n + 1 WHERE name = 'parked'; END;
CREATE TRIGGER parked_out AFTER DELETE ON parked BEGIN
	UPDATE tally SET n = n - 1 WHERE name = 'parked'; END;
CREATE TRIGGER refused_in AFTER INSERT ON refused BEGIN
	UPDATE tally SET n = n + 1 WHERE name = 'refused';
	UPDATE tally SET n = n + new.mine WHERE name = 'refused_mine'; END;
CREATE TRIGGER refused_out AFTER DELETE ON refused BEGIN
	UPDATE tally SET n = n - 1 WHERE name = 'refused';
	UPDATE tally SET n = n - old.mine WHERE name = 'refused_mine'; END;

-- What people need to act here and what they did; never replicated.  `secret` holds nothing that opens without a
-- password, a session's token or the service's credential.
-- name: format_2
CREATE TABLE secret(name TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE trail(seq INTEGER PRIMARY KEY, record BLOB NOT NULL, hash BLOB NOT NULL);

-- What coverage asks for: store_fold.sql, which fills it once the domain tables are there.
-- name: format_3
ALTER TABLE scope ADD COLUMN site INTEGER NOT NULL DEFAULT 0;
ALTER TABLE scope ADD COLUMN fold INTEGER NOT NULL DEFAULT 0;
ALTER TABLE scope ADD COLUMN devices INTEGER NOT NULL DEFAULT 0;
CREATE INDEX scope_fold ON scope(fold, site, devices);
ALTER TABLE cell ADD COLUMN corrected INTEGER NOT NULL DEFAULT 0;
ALTER TABLE cell ADD COLUMN unsettled INTEGER NOT NULL DEFAULT 0;
CREATE TABLE fold(place INTEGER NOT NULL, month INTEGER NOT NULL, volunteers INTEGER NOT NULL,
	activities INTEGER NOT NULL, participations INTEGER NOT NULL, minutes INTEGER NOT NULL,
	unsettled INTEGER NOT NULL, standing INTEGER NOT NULL, PRIMARY KEY(place, month)) WITHOUT ROWID;
CREATE TABLE busy(place INTEGER NOT NULL, member INTEGER NOT NULL, year INTEGER NOT NULL,
	months INTEGER NOT NULL, PRIMARY KEY(place, member, year)) WITHOUT ROWID;
CREATE TABLE leaning(scope INTEGER NOT NULL, month INTEGER NOT NULL, kind INTEGER NOT NULL,
	base INTEGER NOT NULL, value INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY(scope, month, kind, base))
	WITHOUT ROWID;

-- A row is a table and an id: two images of one machine may give one name to changes of two tables.
-- name: format_4
CREATE TABLE refused_4(id INTEGER PRIMARY KEY AUTOINCREMENT, recv INTEGER NOT NULL, ordinal INTEGER NOT NULL,
	scope INTEGER NOT NULL, run INTEGER NOT NULL, tbl INTEGER NOT NULL, row BLOB NOT NULL,
	lane INTEGER NOT NULL, admitted INTEGER NOT NULL, stamp INTEGER NOT NULL, cause INTEGER NOT NULL,
	field TEXT NOT NULL, wait BLOB NOT NULL, since_ms INTEGER NOT NULL, by_hub BLOB NOT NULL,
	mine INTEGER NOT NULL, UNIQUE(row, lane, run, stamp, tbl));
INSERT INTO refused_4 SELECT * FROM refused;
DELETE FROM sqlite_sequence WHERE name = 'refused_4';
INSERT INTO sqlite_sequence SELECT 'refused_4', seq FROM sqlite_sequence WHERE name = 'refused';
DROP TABLE refused;
ALTER TABLE refused_4 RENAME TO refused;
CREATE INDEX refused_mine ON refused(mine, id);
CREATE INDEX refused_scope ON refused(scope);
CREATE TRIGGER refused_in AFTER INSERT ON refused BEGIN
	UPDATE tally SET n = n + 1 WHERE name = 'refused';
	UPDATE tally SET n = n + new.mine WHERE name = 'refused_mine'; END;
CREATE TRIGGER refused_out AFTER DELETE ON refused BEGIN
	UPDATE tally SET n = n - 1 WHERE name = 'refused';
	UPDATE tally SET n = n - old.mine WHERE name = 'refused_mine'; END;
DROP INDEX parked_local;
CREATE UNIQUE INDEX parked_local ON parked(row, lane, run, stamp, tbl) WHERE recv = 0;

-- name: meta_get
SELECT value FROM meta WHERE key = ?1
-- name: meta_put
INSERT INTO meta(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = excluded.value
-- name: tally_get
SELECT n FROM tally WHERE name = ?1
-- name: tally_add
UPDATE tally SET n = n + ?2 WHERE name = ?1

-- name: secret_get
SELECT value FROM secret WHERE name = ?1
-- name: secret_put
INSERT INTO secret(name, value) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET value = excluded.value
-- name: secret_drop
DELETE FROM secret WHERE name = ?1
-- name: secret_list
SELECT name, value FROM secret WHERE name > ?1 AND name < ?2 ORDER BY name

-- name: trail_last
SELECT seq, hash FROM trail ORDER BY seq DESC LIMIT 1
-- name: trail_add
INSERT INTO trail(seq, record, hash) VALUES(?1, ?2, ?3)
-- name: trail_scan
SELECT seq, record, hash FROM trail WHERE seq > ?1 ORDER BY seq LIMIT ?2

-- name: scope_by_id
SELECT ord, parent, feed, id FROM scope WHERE id = ?1
-- name: scope_by_ord
SELECT ord, parent, feed, id FROM scope WHERE ord = ?1
-- name: scope_add
INSERT INTO scope(id, parent, feed) VALUES(?1, 0, 0)
-- name: scope_set_parent
UPDATE scope SET parent = ?2 WHERE ord = ?1
-- name: scope_set_feed
UPDATE scope SET feed = ?2 WHERE ord = ?1
-- name: scope_move_journal
UPDATE journal SET feed = ?2 WHERE scope = ?1
-- name: scope_move_state
UPDATE state SET feed = ?2 WHERE scope = ?1
-- name: scope_set_id
UPDATE scope SET id = ?2 WHERE ord = ?1
-- name: scope_list
SELECT ord, parent, feed, id FROM scope ORDER BY ord

-- name: run_by_run
SELECT ord, run, origin, nonce FROM run WHERE run = ?1
-- name: run_by_ord
SELECT ord, run, origin, nonce FROM run WHERE ord = ?1
-- name: run_add
INSERT INTO run(run, origin, nonce) VALUES(?1, ?2, ?3)
-- name: run_count
SELECT count(*) FROM run WHERE origin = ?1

-- name: other_get
SELECT id, scope, alive, clock, extra FROM other WHERE tbl = ?1 AND lane = ?2 AND id = ?3
-- name: other_insert
INSERT INTO other(tbl, lane, id, scope, alive, clock, extra) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT(tbl, id, lane) DO NOTHING
-- name: other_update
UPDATE other SET clock = ?4, extra = ?5 WHERE tbl = ?1 AND lane = ?2 AND id = ?3
-- name: other_update_alive
UPDATE other SET clock = ?4, extra = ?5, alive = ?6 WHERE tbl = ?1 AND lane = ?2 AND id = ?3
-- name: other_drop
DELETE FROM other WHERE tbl = ?1 AND lane = ?2 AND id = ?3
-- name: other_scan
SELECT id, scope, alive, clock, extra FROM other WHERE tbl = ?1 AND lane = ?2 AND id > ?3
ORDER BY id LIMIT ?4
-- name: other_scan_scope
SELECT id, scope, alive, clock, extra FROM other WHERE tbl = ?1 AND lane = ?2 AND id > ?3 AND scope = ?5
ORDER BY id LIMIT ?4
-- name: other_next
SELECT min(tbl) FROM other WHERE tbl > ?1
-- name: other_tables
SELECT DISTINCT tbl FROM other WHERE id = ?1 ORDER BY tbl

-- name: candidate_fields
SELECT count(DISTINCT slot) FROM candidate WHERE tbl = ?1 AND row = ?2 AND lane = ?3 AND kind <> 2
-- name: candidate_clear
DELETE FROM candidate WHERE tbl = ?1 AND row = ?2 AND lane = ?3
-- name: candidate_add
INSERT INTO candidate(tbl, row, lane, n, slot, kind, scope, run, stamp, value)
VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
-- name: candidate_get
SELECT tbl, row, lane, slot, kind, scope, run, stamp, value FROM candidate
WHERE tbl = ?1 AND row = ?2 AND lane = ?3 ORDER BY n
-- name: candidate_list
SELECT tbl, row, lane, slot, kind, scope, run, stamp, value FROM candidate
ORDER BY scope, row, tbl, lane, n LIMIT ?1

-- name: state_get
SELECT hash FROM state WHERE scope = ?1 AND lane = ?2
-- name: state_put
INSERT INTO state(scope, lane, hash, feed) VALUES(?1, ?2, ?3, ?4)
ON CONFLICT(scope, lane) DO UPDATE SET hash = excluded.hash
-- name: state_of_feed
SELECT lane, hash FROM state WHERE feed = ?1
-- name: state_all
SELECT lane, hash FROM state

-- name: tail_add
INSERT INTO tail(scope, lane, run, changeset, first) VALUES(?1, ?2, ?3, ?4, ?5)
-- name: tail_all
SELECT id, scope, run, lane, changeset, first FROM tail ORDER BY scope, lane, id
-- name: tail_size
SELECT count(*), coalesce(sum(length(changeset)), 0), count(nullif(lane, 0)) FROM tail
-- name: tail_records
SELECT count(*) FROM tail WHERE first = 1
-- name: tail_clear
DELETE FROM tail WHERE id <= ?1

-- name: stream_get
SELECT next_seq, hash FROM stream WHERE scope = ?1 AND lane = ?2
-- name: stream_put
INSERT INTO stream(scope, lane, next_seq, hash) VALUES(?1, ?2, ?3, ?4)
ON CONFLICT(scope, lane) DO UPDATE SET next_seq = excluded.next_seq, hash = excluded.hash

-- name: journal_add
INSERT INTO journal(recv, kind, lane, merged, scope, feed, from_run, origin, seq_first, count, seal, hash,
	prev, rolling, head, body)
VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
ON CONFLICT(hash) DO NOTHING
-- name: journal_last
SELECT recv, rolling FROM journal ORDER BY recv DESC LIMIT 1
-- name: journal_rolling
SELECT rolling FROM journal WHERE recv = ?1
-- name: journal_find
SELECT recv FROM journal WHERE hash = ?1
-- name: journal_get
SELECT recv, kind, lane, merged, scope, feed, from_run, origin, seq_first, count, seal, hash, prev, head,
	body FROM journal WHERE recv = ?1
-- name: journal_walk
SELECT recv FROM journal WHERE recv > ?1 AND ((?2 >> lane) & 1) = 1 AND (?3 = 0 OR from_run <> ?3)
ORDER BY recv
-- name: journal_feed
SELECT recv FROM journal INDEXED BY journal_feed WHERE feed = ?4 AND recv > ?1 AND ((?2 >> lane) & 1) = 1
	AND (?3 = 0 OR from_run <> ?3)
ORDER BY recv
-- name: journal_scope
SELECT recv FROM journal INDEXED BY journal_scope WHERE scope = ?1 AND lane = ?2 AND recv > ?3
	AND kind IN (1, 3)
ORDER BY recv LIMIT ?4

-- name: journal_bytes
SELECT coalesce(sum(length(body)), 0) FROM journal INDEXED BY journal_scope
WHERE scope = ?1 AND lane = ?2 AND kind IN (1, 3)

-- name: journal_replace
UPDATE journal SET kind = ?2, head = ?3, body = ?4 WHERE recv = ?1
-- name: meta_remove
DELETE FROM meta WHERE key = ?1
-- name: gap_list
SELECT DISTINCT missing FROM gap ORDER BY missing LIMIT ?1
-- name: candidate_recount
SELECT count(*) FROM (SELECT DISTINCT row, tbl, lane, slot FROM candidate WHERE kind <> 2)

-- name: journal_own
SELECT coalesce(max((?2 >> lane) & 1) * max(sum(count), 1), 0) FROM journal INDEXED BY journal_merged
WHERE merged = 1 AND recv > ?1
-- name: waiting_own
SELECT count(*) FROM waiting CROSS JOIN journal ON journal.recv = waiting.recv AND journal.merged = 1
-- name: parked_of_feed
SELECT count(*) FROM scope JOIN parked ON parked.scope = scope.ord WHERE scope.feed = ?1
-- name: refused_of_feed
SELECT count(*) FROM scope JOIN refused ON refused.scope = scope.ord WHERE scope.feed = ?1
-- name: run_name
UPDATE run SET origin = ?2, nonce = ?3 WHERE ord = ?1

-- name: gap_add
INSERT INTO gap(missing, recv) VALUES(?1, ?2) ON CONFLICT(missing, recv) DO NOTHING
-- name: gap_close
DELETE FROM gap WHERE missing = ?1
-- name: word_add
INSERT INTO word(segment, admission) VALUES(?1, ?2) ON CONFLICT(segment, admission) DO NOTHING
-- name: word_get
SELECT admission FROM word WHERE segment = ?1 ORDER BY admission
-- name: waiting_add
INSERT INTO waiting(recv) VALUES(?1) ON CONFLICT(recv) DO NOTHING
-- name: waiting_remove
DELETE FROM waiting WHERE recv = ?1

-- name: parked_add
INSERT INTO parked(recv, ordinal, scope, run, tbl, row, lane, admitted, stamp, cause, field, wait,
	since_ms, by_hub, mine)
VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
ON CONFLICT DO NOTHING
-- name: parked_remove
DELETE FROM parked WHERE id = ?1
-- name: parked_by_wait
SELECT id, recv, ordinal, scope, run, tbl, row, lane, admitted, stamp, cause, field, wait, since_ms,
	by_hub, mine FROM parked WHERE wait = ?1 AND (recv, ordinal) > (?2, ?3)
ORDER BY recv, ordinal LIMIT ?4
-- name: parked_on_row
SELECT 1 FROM parked WHERE row = ?1 AND lane = ?2 AND (recv, ordinal) < (?3, ?4)
	AND cause <> 5115 LIMIT 1
-- name: parked_holds_row
SELECT 1 FROM parked WHERE row = ?1 AND lane = ?2 AND (recv, ordinal) < (?3, ?4) AND wait <> ?1
	AND cause <> 5115 LIMIT 1
-- name: parked_drop
DELETE FROM parked WHERE recv = ?1 AND recv > 0 AND ordinal >= ?2 AND ordinal < ?2 + ?3
-- name: parked_twice
SELECT count(*) FROM parked WHERE row = ?1 AND lane = ?2 AND cause = 5115
-- name: parked_list
SELECT id, recv, ordinal, scope, run, tbl, row, lane, admitted, stamp, cause, field, wait, since_ms,
	by_hub, mine FROM parked WHERE id > ?1 ORDER BY id LIMIT ?2
-- name: refused_add
INSERT INTO refused(recv, ordinal, scope, run, tbl, row, lane, admitted, stamp, cause, field, wait,
	since_ms, by_hub, mine)
VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
ON CONFLICT(row, lane, run, stamp, tbl) DO NOTHING
-- name: refused_get
SELECT 1 FROM refused WHERE row = ?1 AND lane = ?2 AND run = ?3 AND stamp = ?4 AND tbl = ?5
-- name: refused_remove
DELETE FROM refused WHERE row = ?1 AND lane = ?2 AND run = ?3 AND stamp = ?4 AND tbl = ?5
-- name: refused_list
SELECT id, recv, ordinal, scope, run, tbl, row, lane, admitted, stamp, cause, field, wait, since_ms,
	by_hub, mine FROM refused WHERE id > 0 ORDER BY id LIMIT ?1
-- name: refused_list_mine
SELECT id, recv, ordinal, scope, run, tbl, row, lane, admitted, stamp, cause, field, wait, since_ms,
	by_hub, mine FROM refused INDEXED BY refused_mine WHERE mine = 1 ORDER BY id LIMIT ?1

-- name: pending_get
SELECT delta FROM pending WHERE scope = ?1 AND month = ?2 AND kind = ?3
-- name: pending_put
INSERT INTO pending(scope, month, kind, delta) VALUES(?1, ?2, ?3, ?4)
ON CONFLICT(scope, month, kind) DO UPDATE SET delta = excluded.delta
-- name: pending_all
SELECT scope, month, kind, delta FROM pending WHERE delta <> 0 ORDER BY scope, month, kind
-- name: pending_clear
DELETE FROM pending
-- name: cell_get
SELECT truth, stated, refused FROM cell WHERE scope = ?1 AND month = ?2 AND kind = ?3
-- name: cell_put
INSERT INTO cell(scope, month, kind, truth, stated, refused, dirty) VALUES(?1, ?2, ?3, ?4, ?5, ?6, 1)
ON CONFLICT(scope, month, kind) DO UPDATE SET truth = excluded.truth, stated = excluded.stated,
	refused = excluded.refused, dirty = 1
-- name: cell_dirty
SELECT scope, month, kind, truth, stated, refused, dirty FROM cell INDEXED BY cell_dirty WHERE dirty = 1
ORDER BY scope, month, kind
-- name: cell_clean
UPDATE cell INDEXED BY cell_dirty SET dirty = 0 WHERE dirty = 1
-- name: cell_all
SELECT scope, month, kind, truth, stated, refused, dirty FROM cell ORDER BY scope, month, kind
-- name: cell_stated
SELECT scope, month, kind, stated FROM cell
WHERE stated <> 0 AND month <= ?2 AND kind <= ?3 AND (month >= ?1 OR kind = ?4) ORDER BY scope, month, kind
-- name: cell_of_scope
SELECT scope, month, kind, truth, stated, refused, dirty FROM cell WHERE scope = ?1
ORDER BY scope, month, kind

-- name: cursor_get
SELECT pos, rolling, filter FROM cursor WHERE peer_run = ?1 ORDER BY n
-- name: cursor_clear
DELETE FROM cursor WHERE peer_run = ?1
-- name: cursor_add
INSERT INTO cursor(peer_run, n, peer, pos, rolling, filter) VALUES(?1, ?2, ?3, ?4, ?5, ?6)

-- name: peer_get
SELECT origin, run, acked, last_contact_ms, clock_offset_ms, agreed_ms, bytes_in, bytes_out, refused,
	parked, unapplied, state, schema_version, protocol, restored FROM peer WHERE origin = ?1
-- name: peer_put
INSERT INTO peer(origin, run, acked, last_contact_ms, clock_offset_ms, agreed_ms, bytes_in, bytes_out,
	refused, parked, unapplied, state, schema_version, protocol, restored)
VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
ON CONFLICT(origin) DO UPDATE SET run = excluded.run, acked = excluded.acked,
	last_contact_ms = excluded.last_contact_ms, clock_offset_ms = excluded.clock_offset_ms,
	agreed_ms = excluded.agreed_ms, bytes_in = excluded.bytes_in, bytes_out = excluded.bytes_out,
	refused = excluded.refused, parked = excluded.parked, unapplied = excluded.unapplied,
	state = excluded.state, schema_version = excluded.schema_version, protocol = excluded.protocol,
	restored = excluded.restored
-- name: peer_list
SELECT origin, run, acked, last_contact_ms, clock_offset_ms, agreed_ms, bytes_in, bytes_out, refused,
	parked, unapplied, state, schema_version, protocol, restored FROM peer ORDER BY origin

-- name: cert_put
INSERT INTO cert(id, origin, link, issuer, unit, role, lanes, not_before_ms, not_after_ms, revoked_ms, body)
VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT(id) DO NOTHING
-- name: cert_revoke
UPDATE cert SET revoked_ms = ?2 WHERE id = ?1
-- name: cert_by_id
SELECT id, origin, link, issuer, unit, role, lanes, not_before_ms, not_after_ms, revoked_ms, body FROM cert
WHERE id = ?1
-- name: cert_by_origin
SELECT id, origin, link, issuer, unit, role, lanes, not_before_ms, not_after_ms, revoked_ms, body FROM cert
WHERE origin = ?1 ORDER BY not_before_ms DESC LIMIT 1
-- name: cert_by_link
SELECT id, origin, link, issuer, unit, role, lanes, not_before_ms, not_after_ms, revoked_ms, body FROM cert
WHERE link = ?1 ORDER BY not_before_ms DESC LIMIT 1
-- name: cert_list
SELECT id, origin, link, issuer, unit, role, lanes, not_before_ms, not_after_ms, revoked_ms, body FROM cert
ORDER BY id
-- name: invite_put
INSERT INTO invite(hash, unit, role, used_by, made_ms, expires_ms, used_ms)
VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(hash) DO UPDATE SET unit = excluded.unit,
	role = excluded.role, used_by = excluded.used_by, made_ms = excluded.made_ms,
	expires_ms = excluded.expires_ms, used_ms = excluded.used_ms
-- name: invite_get
SELECT hash, unit, role, used_by, made_ms, expires_ms, used_ms FROM invite WHERE hash = ?1
-- name: invite_list
SELECT hash, unit, role, used_by, made_ms, expires_ms, used_ms FROM invite ORDER BY made_ms, hash
