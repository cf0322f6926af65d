/*
 * coverage.h - which faults, transitions and "sometimes" events a world reached, and how often.
 *
 * A fault that is configured and never bites, or a state that no seed enters, makes a campaign worth less than
 * its number of seeds says.  So every campaign prints this table, and an event that was never reached fails it.
 *
 * An event is a row X(NAME, line, text): REACHED(w, NAME) notes it; if `line` is not NULL it is also noted by
 * every line of the engine's own trace that begins with it (env_trace; so proto/ needs no hooks for tests).
 * Each subject has a list of its own.
 */
#ifndef TESTS_SIM_COVERAGE_H
#define TESTS_SIM_COVERAGE_H

#include <stdio.h>

#include "common/base.h"

/* clang-format off */
/* The world around the devices. */
#define COVERAGE_WORLD(X) \
	X(CUT, NULL, "a link is cut in the middle of a frame") \
	X(HALF_OPEN, NULL, "one end of a dead link does not notice") \
	X(STALE, NULL, "frames of a dead link go out on the next one") \
	X(STALL, NULL, "one direction of a link stands still") \
	X(LINK_FAILS, NULL, "a call does not get through") \
	X(OFFLINE, NULL, "a site is without any link for a while") \
	X(CRASH_BEFORE, NULL, "a machine dies within a transaction") \
	X(CRASH_AFTER, NULL, "a machine dies just after a commit") \
	X(KILLED, NULL, "a machine is switched off between two turns") \
	X(DISK_FULL, NULL, "the disk is full once, within a transaction") \
	X(REBOOT, NULL, "a machine boots anew") \
	X(TWIN, NULL, "two people write in the same millisecond") \
	X(COMMAND, NULL, "a second program writes into the same database") \
	X(JOINS_LATE, NULL, "a site joins after it has written") \
	X(GREETED_ANEW, NULL, "a HELLO that was left over, and then the true one") \
	X(SUPERSEDED, NULL, "a newer session takes the place of one that still seems alive") \
	X(SKEWED, NULL, "a clock is wrong from the beginning") \
	X(CLOCK_JUMP, NULL, "a clock jumps") \
	X(REST_CONFLICT, NULL, "values of several authors stand at rest") \
	X(REST_PARKED, NULL, "records are parked at rest, with a cause that is true") \
	X(WRITE_REJECTED, NULL, "a transaction is refused where it is written")

/* What the engine says itself. */
#define COVERAGE_ENGINE(X) \
	X(RUN_FIRST, "run drawn: the first", "a run is drawn: the first of a database") \
	X(RUN_BOOT, "run drawn: booted", "a run is drawn: booted, or no witness") \
	X(RUN_OTHER, "run drawn: another writer", "a run is drawn: the database is not the one that wrote last here") \
	X(RUN_CLOCK, "run drawn: clock", "a run is drawn: the wall clock jumped against the boot clock") \
	X(CONFLICT, "merge: conflict", "two values that did not know of each other stand") \
	X(EDIT_OF_DELETED, "merge: edit of deleted", "an edit and a deletion that did not know of each other") \
	X(PARKED, "parked: ", "a record is parked") \
	X(PARKED_REF, "parked: cause 5109", "parked: what it refers to is not there") \
	X(PARKED_ROW, "parked: cause 5110", "parked: its row is not there") \
	X(PARKED_BEHIND, "parked: cause 5117", "parked: behind another of its row") \
	X(PARKED_PART, "parked: cause 5119", "parked: a part waits for the other parts") \
	X(PARTS, "parts: released", "all parts are here and are applied together") \
	X(WOKEN, "woken: through", "what was parked goes through when what it waited for comes") \
	X(WOKEN_AGAIN, "woken: still held", "what was woken is still held") \
	X(REFUSED, "refused: ", "a record is refused") \
	X(REFUSED_WHOLE, "whole: refused", "a changeset that stands or falls together is refused") \
	X(HELD_WHOLE, "whole: held", "a changeset that stands or falls together is held") \
	X(UNREFUSED, "refused before, accepted now", "refused by one word, accepted by another") \
	X(ANNULLED, "annulled", "the author takes his refused change back") \
	X(ANNULLED_LATER, "annulled: later changes stay", "the author takes his refused change back and keeps a later one") \
	X(GAP_OPENED, "gap: opened", "a segment comes without the one before it") \
	X(GAP_CLOSED, "gap: closed", "the segment that was missing comes") \
	X(KNOWN_AGAIN, "known already", "an entry comes that is here already") \
	X(UPGRADE_ROWS, "upgrade: row of table", "an upgrade moves rows of an unknown table") \
	X(UPGRADE_FIELDS, "upgrade: fields of a row", "an upgrade moves unknown fields") \
	X(WARM, "session: nothing to do", "a session of one round trip: nothing to do") \
	X(CREDIT_OUT, "session: credit used up", "a sender waits for credit") \
	X(RESCAN, "session: another filter", "a filter widened: what is new in it is sent") \
	X(RESCANNED, "session: filter caught up with", "a widened filter is caught up with") \
	X(UNCONFIRMED, "session: cursor not confirmed", "a cursor is not true any more") \
	X(PLACE_RESTART, "the peer's journal went back", "both fall back to a place that both know") \
	X(CURSOR_MOVED, "session: cursor goes on under a new run", "a peer comes with a new run and its cursor goes on") \
	X(INTRODUCED, "session: introduced", "an author is introduced before his words") \
	X(FOREIGN_FRAME, "session: frame of another session", "a frame of an earlier session is dropped") \
	X(SILENCE, "session: silence", "a session ends because the peer is silent") \
	X(FEED_CHANGED, "session: feed changed", "a feed changes under an open session") \
	X(RUN_CHANGED, "session: own run changed", "a run is drawn under an open session") \
	X(REFUSED_PEER, "refused the peer", "a session is refused")

/* Lists of the other subjects; an event belongs to the list of its file. */
#define COVERAGE_WEATHER(X) \
	X(CLOCK_1970, NULL, "a clock says 1970") \
	X(CLOCK_BEFORE_1970, NULL, "a clock says a time before 1970") \
	X(CLOCK_2099, NULL, "a clock says 2099 or later") \
	X(CLOCK_FROZEN, NULL, "a clock stands still") \
	X(CLOCK_DRIFT, NULL, "a clock drifts, or runs backwards") \
	X(CLOCK_NO_BATTERY, NULL, "a clock is back at 1970 after a boot") \
	X(UPGRADE_SCHEMA, NULL, "a device gets the newer schema in the middle") \
	X(UPGRADE_HUB, NULL, "a hub gets the newer schema in the middle") \
	X(UPGRADE_CHILD_FIRST, NULL, "a site gets the newer schema before its hub") \
	X(UPGRADE_SPEECH, NULL, "a device gets another range of protocols in the middle") \
	X(NO_COMMON_VERSION, "refused the peer: 5101", "a pair has no protocol in common") \
	X(SPOKE_NEXT, NULL, "two builds speak the next protocol") \
	X(SLOW_HUB, NULL, "a turn of a hub takes long") \
	X(PAUSE, NULL, "a link stands still for minutes in the middle of data") \
	X(DEAF, NULL, "a half-open link that only silence tells of") \
	X(LOAD, NULL, "a backlog of large records") \
	X(LOAD_AT_ONCE, NULL, "a transaction larger than a segment")
#define COVERAGE_DISK(X) \
	X(POWER_CUT, NULL, "a machine loses power, and with it what was not synced") \
	X(PROCESS_KILLED, NULL, "a daemon is killed; page cache and other programs live on") \
	X(DISK_DIED, NULL, "a machine or process ends at a call of the file system") \
	X(RECOVERY_CUT, NULL, "power is cut while the database recovers from a power cut") \
	X(DISK_ERROR, NULL, "a transaction fails with an error of the disk") \
	X(QUOTA, NULL, "a transaction finds a disk that stays full for a while") \
	X(COMMIT_LOST, NULL, "a commit fails so that its outcome is not known") \
	X(REOPENED, NULL, "a daemon opens its database again after an error") \
	X(NEW_RUN_AFTER, NULL, "after a commit that failed a new run is drawn") \
	X(FILE_CHECKED, NULL, "SQLite checks the whole file")
#define COVERAGE_RESTORE(X) \
	X(LACKS_HALF, NULL, "a hub counts with the open half of a seal there and the closed one not") \
	X(CAME_BACK, "home: all of a child", "a child of which something came has sent all") \
	X(RESTORED_NODE, NULL, "a site is restored from a backup") \
	X(RESTORED_COUNTY, NULL, "a county hub is restored from a backup") \
	X(RESTORED_TOP, NULL, "the top hub is restored from a backup") \
	X(RESTORED_TWO, NULL, "two machines are restored at once") \
	X(RESTORED_OLDEST, NULL, "a restore from the oldest of three generations") \
	X(RESTORED_UNJOINED, NULL, "a restore to a time before the machine had joined") \
	X(LOST_FOR_GOOD, NULL, "what lay on the lost disk alone is gone") \
	X(CAME_HOME, NULL, "what a restored machine had lost came home") \
	X(CLONED_NODE, NULL, "a site's disk is copied and both go on") \
	X(CLONED_HUB, NULL, "a hub's disk is copied and both go on") \
	X(SURVIVOR, NULL, "of two copies of a hub one survives, and takes the other's journal") \
	X(TAKEN_UP, NULL, "a hub that was restored again takes itself for one of two, until a person's word") \
	X(SWAPPED_FOUND, NULL, "disks are swapped and each finds the other's witness") \
	X(SWAPPED_LOST, NULL, "disks are swapped and find no witness") \
	X(RESUMED_SEEN, NULL, "an image is resumed and the clock shows it") \
	X(RESUMED_BLIND, NULL, "an image is resumed and nothing shows it") \
	X(LATE_SEGMENT, NULL, "a segment comes by another way before the one before it") \
	X(GAP_FOR_GOOD, NULL, "what is missing before a late segment lay on a lost disk alone") \
	X(WENT_BACK, "session: went back under a running run", "an image that went back is noticed by its cursors") \
	X(NAME_TWICE, "one name twice", "two changes of one name: one of them is parked") \
	X(READMITTED, "readmitted", "a child that the hub has forgotten shows its certificate")
#define COVERAGE_TRUST(X) \
	X(QUOTA_DAY, "quota: 6120", "no more is taken of a child: bytes of a day") \
	X(QUOTA_JOURNAL, "quota: 6121", "no more is taken of a child: space in all") \
	X(QUOTA_PARKED, "quota: 6122", "no more is taken of a child: too many of its records wait") \
	X(QUOTA_RUNS, "quota: 6123", "no more is taken of a child: too many new runs") \
	X(HEADS_SAID, "heads: stated", "a hub states what came to it of a site two levels below") \
	X(HEADS_ALL, NULL, "at rest a site knows that all of its open lane came to the top") \
	X(HEADS_BEHIND, NULL, "at rest the last word of what came is older than what was sealed")
#define COVERAGE_MALICE(X) \
	X(EVIL_ROWS, NULL, "an attacker writes rows of others") \
	X(EVIL_STAMPS, NULL, "an attacker writes with stamps of all times, and foresees others") \
	X(EVIL_REPLAY, NULL, "an attacker sends again what was said before") \
	X(EVIL_SPLIT, NULL, "an attacker splits his history, or leaves gaps in it") \
	X(EVIL_SIZE, NULL, "an attacker sends the largest of everything") \
	X(EVIL_SESSION, NULL, "an attacker lies in a session") \
	X(EVIL_LANES, NULL, "an attacker sends closed lanes and unknown kinds") \
	X(EVIL_PARK, NULL, "an attacker has hundreds of records wait for one") \
	X(EVIL_WORDS, NULL, "an attacker speaks of others' work: holes, admissions, certificates") \
	X(ALARMED, "alarm: ", "an alarm is raised")
#define COVERAGE_REPAIR(X) \
	X(DAMAGE_VALUE, NULL, "a value is changed behind the engine's back") \
	X(DAMAGE_CLOCK, NULL, "a clock is changed behind its back") \
	X(DAMAGE_GONE, NULL, "a row is taken away behind its back") \
	X(DAMAGE_GHOST, NULL, "a row that nobody wrote appears") \
	X(DAMAGE_RISEN, NULL, "a deleted row lives, or a living one is dead") \
	X(DAMAGE_CANDIDATE, NULL, "a standing value is dropped behind its back") \
	X(DAMAGE_STATE, NULL, "a state hash is changed behind its back") \
	X(DAMAGE_FIGURE, NULL, "figures are changed behind its back") \
	X(DAMAGE_BODY, NULL, "the body of a segment is changed in the journal") \
	X(DAMAGE_MENDED, NULL, "an audit mends") \
	X(REPAIR_DIFFERS, "repair: digests differ", "digests of two peers at rest differ: ranges are compared") \
	X(REPAIR_ROWS, "repair: rows differ, round 1", "rows that differ are named") \
	X(REPAIR_ROWS_AGAIN, "repair: rows differ, round 2", "rows still differ: entries are exchanged") \
	X(REPAIR_ENTRY, "repair: an entry came again", "a damaged or missing entry comes again") \
	X(DAMAGE_HURT, "repair: hurt", "a row that cannot be used is rebuilt at once")
#define COVERAGE_PEOPLE(X) \
	X(CLAIM_NODE, NULL, "a node says that it is complete") \
	X(CLAIM_HUB, NULL, "a hub says that its own level is complete") \
	X(CLAIM_ALL, NULL, "a hub says that it and all below it are complete") \
	X(CLAIM_OLD, NULL, "what is said to agree was so at the last contact, and is no more")

#define COVERAGE_TRAILS(X) \
	X(TRAIL_NOTED, NULL, "something that somebody may ask about is noted") \
	X(TRAIL_SIGNED, NULL, "the head of a trail is signed above") \
	X(TRAIL_COUNTERSIGNED, NULL, "the head of a hub's trail is countersigned") \
	X(TRAIL_ALTERED, NULL, "a trail is altered behind the engine's back, and it shows where") \
	X(CLOSED_FILE, NULL, "a database whose private parts lie closed") \
	X(SEALED_TO_NOBODY, NULL, "a record is not sealed, since no officer is known yet") \
	X(SEALED_WRITTEN, NULL, "a record of a case is sealed") \
	X(SEALED_AGAIN, NULL, "a record is re-wrapped to an officer who came later") \
	X(SEALED_OPENED, NULL, "an officer opens a record at rest") \
	X(SEALED_OPENED_LATER, NULL, "so does one who came later") \
	X(HELD_SESSION, NULL, "a session of a child that waits to be released") \
	X(HELD_RELEASED, NULL, "a person releases one") \
	X(ERASED, NULL, "a county erases what a row says") \
	X(ERASED_FROM_BELOW, NULL, "it names a row that a site has, and may have none of it itself") \
	X(ERASED_ROW, "erased: a row", "a row is blanked") \
	X(ERASED_VALUES, "erased: ", "something is taken out") \
	X(ERASED_BODY, NULL, "a body stands restated at rest")

#define COVERAGE_CERTS(X) \
	X(CERT_OUT, NULL, "a child comes whose certificate has run out") \
	X(CERT_RENEWED, "certificate: renewed", "a parent renews a certificate") \
	X(CERT_OWN, "certificate: ours was renewed", "a device takes its renewed certificate")

#define COVERAGE_ALL(X) \
	COVERAGE_WORLD(X) COVERAGE_ENGINE(X) COVERAGE_WEATHER(X) COVERAGE_RESTORE(X) \
	COVERAGE_DISK(X) COVERAGE_MALICE(X) COVERAGE_TRUST(X) COVERAGE_REPAIR(X) \
	COVERAGE_PEOPLE(X) COVERAGE_TRAILS(X) COVERAGE_CERTS(X)
/* clang-format on */

enum reached {
#define X(NAME, LINE, TEXT) REACHED_##NAME,
	COVERAGE_ALL(X)
#undef X
	        REACHED_COUNT
};
struct coverage {
	uint64_t times[REACHED_COUNT];
	uint64_t worlds[REACHED_COUNT]; /* in sums: worlds in which it was reached at all */
};
struct world;

#define REACHED(W, NAME) world_reached((W), REACHED_##NAME)
void world_reached(struct world *w, enum reached what);
/* A line of the engine's trace. */
void coverage_line(struct coverage *c, const char *line);
/* Adds one world to a sum. */
void coverage_add(struct coverage *sum, const struct coverage *world);
/* The table; returns how many events were never reached. */
unsigned coverage_print(const struct coverage *sum, uint64_t worlds, FILE *f);

#endif
