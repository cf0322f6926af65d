-- store_fold.sql: what coverage asks for, kept as rows change (store_sqlite_fold.c).  Triggers keep it, so that it follows
-- whichever way a row is written, in the transaction of the row; all of it is made anew by fold_rebuild.
--
-- A scope's numbers are folded into `place`: of a community its parent (scope.fold), of any other unit itself.
-- fold: sums by place and month.  unsettled: how many cells of activities, participations and minutes are; standing: of
-- volunteers.  busy: the months in which a member held activities, a bit each.  leaning: corrections by the sum that they
-- correct (base); a cell is unsettled while one of them leans on another sum than the one that stands.
-- A number beyond 2^40 is nobody's work: it is left out, and its cell is unsettled (such a correction leans on 2^62, which
-- no sum is).  So no sum here can overflow.
-- Kinds: proto/figure.h, 1 volunteers .. 4 minutes; 5 is the level of a community (codes.h).

-- name: fold_tables
CREATE TRIGGER cell_in AFTER INSERT ON cell WHEN new.kind <= 4 AND (new.stated <> 0 OR new.corrected <> 0) BEGIN
	INSERT INTO folding VALUES(new.scope, new.month, new.kind, 0, 0, new.stated + new.corrected, new.unsettled);
END;
CREATE TRIGGER cell_change AFTER UPDATE OF stated, corrected, unsettled ON cell
WHEN new.kind <= 4 AND (new.stated <> old.stated OR new.corrected <> old.corrected OR new.unsettled <> old.unsettled)
BEGIN
	INSERT INTO folding VALUES(new.scope, new.month, new.kind, old.stated + old.corrected, old.unsettled,
		new.stated + new.corrected, new.unsettled);
END;
CREATE TRIGGER cell_settle AFTER UPDATE OF stated ON cell WHEN new.kind <= 4 AND new.stated <> old.stated BEGIN
	UPDATE cell SET unsettled = NOT unsettled WHERE scope = new.scope AND month = new.month AND kind = new.kind
		AND unsettled <> EXISTS(SELECT 1 FROM leaning l WHERE l.scope = new.scope AND l.month = new.month
			AND l.kind = new.kind AND l.base <> new.stated);
END;
CREATE TRIGGER cell_out AFTER DELETE ON cell WHEN old.kind <= 4 BEGIN
	INSERT INTO folding VALUES(old.scope, old.month, old.kind, old.stated + old.corrected, old.unsettled, 0, 0);
END;

CREATE VIEW folding AS SELECT 0 AS scope, 0 AS month, 0 AS kind, 0 AS was, 0 AS was_unsettled, 0 AS now,
	0 AS now_unsettled;
CREATE TRIGGER folding_in INSTEAD OF INSERT ON folding BEGIN
	INSERT INTO folded SELECT coalesce(nullif(s.fold, 0), s.ord), s.ord, new.month, new.kind,
		CASE WHEN new.now BETWEEN -1099511627776 AND 1099511627776 THEN new.now ELSE 0 END
		- CASE WHEN new.was BETWEEN -1099511627776 AND 1099511627776 THEN new.was ELSE 0 END,
		(new.now_unsettled OR new.now NOT BETWEEN -1099511627776 AND 1099511627776)
		- (new.was_unsettled OR new.was NOT BETWEEN -1099511627776 AND 1099511627776),
		(new.now BETWEEN 1 AND 1099511627776) - (new.was BETWEEN 1 AND 1099511627776)
	FROM scope s WHERE s.ord = new.scope;
END;
CREATE VIEW folded AS SELECT 0 AS place, 0 AS member, 0 AS month, 0 AS kind, 0 AS amount, 0 AS unsettled, 0 AS busy;
CREATE TRIGGER folded_in INSTEAD OF INSERT ON folded BEGIN
	INSERT INTO fold SELECT new.place, new.month, 0, 0, 0, 0, 0, 0
	WHERE NOT EXISTS(SELECT 1 FROM fold f WHERE f.place = new.place AND f.month = new.month);
	UPDATE fold SET volunteers = volunteers + new.amount * (new.kind = 1),
		activities = activities + new.amount * (new.kind = 2),
		participations = participations + new.amount * (new.kind = 3),
		minutes = minutes + new.amount * (new.kind = 4),
		unsettled = unsettled + new.unsettled * (new.kind <> 1),
		standing = standing + new.unsettled * (new.kind = 1)
	WHERE place = new.place AND month = new.month;
	INSERT INTO busy SELECT new.place, new.member, new.month / 100, 0
	WHERE new.kind = 2 AND new.busy = 1 AND NOT EXISTS(SELECT 1 FROM busy b WHERE b.place = new.place
		AND b.member = new.member AND b.year = new.month / 100);
	UPDATE busy SET months = months + new.busy * (1 << (new.month % 100))
	WHERE new.kind = 2 AND new.busy <> 0 AND place = new.place AND member = new.member
		AND year = new.month / 100;
END;

CREATE TRIGGER correction_in AFTER INSERT ON correction
WHEN new.alive0 = 1 AND coalesce(new.alive1, 1) = 1 BEGIN
	INSERT INTO correcting VALUES(new.scope, new.month, new.kind, new.base, new.value, 1);
END;
CREATE TRIGGER correction_change AFTER UPDATE OF scope, month, kind, base, value, alive0, alive1 ON correction BEGIN
	INSERT INTO correcting SELECT old.scope, old.month, old.kind, old.base, old.value, -1
	WHERE old.alive0 = 1 AND coalesce(old.alive1, 1) = 1;
	INSERT INTO correcting SELECT new.scope, new.month, new.kind, new.base, new.value, 1
	WHERE new.alive0 = 1 AND coalesce(new.alive1, 1) = 1;
END;
CREATE TRIGGER correction_out AFTER DELETE ON correction
WHEN old.alive0 = 1 AND coalesce(old.alive1, 1) = 1 BEGIN
	INSERT INTO correcting VALUES(old.scope, old.month, old.kind, old.base, old.value, -1);
END;
CREATE VIEW correcting AS SELECT 0 AS scope, 0 AS month, '' AS kind, 0 AS base, 0 AS value, 0 AS n;
CREATE TRIGGER correcting_in INSTEAD OF INSERT ON correcting
WHEN typeof(new.month) = 'integer' AND typeof(new.value) = 'integer' AND new.value <> 0
	AND new.kind IN ('volunteers', 'activities', 'participations', 'minutes') BEGIN
	INSERT INTO corrected VALUES(new.scope, new.month,
		CASE new.kind WHEN 'volunteers' THEN 1 WHEN 'activities' THEN 2 WHEN 'participations' THEN 3 ELSE 4 END,
		CASE WHEN new.value NOT BETWEEN -1099511627776 AND 1099511627776 THEN 4611686018427387904
			WHEN typeof(new.base) = 'integer' THEN new.base ELSE 0 END,
		CASE WHEN new.value BETWEEN -1099511627776 AND 1099511627776 THEN new.n * new.value ELSE 0 END, new.n);
END;
CREATE VIEW corrected AS SELECT 0 AS scope, 0 AS month, 0 AS kind, 0 AS base, 0 AS value, 0 AS n;
CREATE TRIGGER corrected_in INSTEAD OF INSERT ON corrected BEGIN
	INSERT INTO leaning SELECT new.scope, new.month, new.kind, new.base, 0, 0
	WHERE NOT EXISTS(SELECT 1 FROM leaning l WHERE l.scope = new.scope AND l.month = new.month
		AND l.kind = new.kind AND l.base = new.base);
	UPDATE leaning SET value = value + new.value, n = n + new.n
	WHERE scope = new.scope AND month = new.month AND kind = new.kind AND base = new.base;
	DELETE FROM leaning
	WHERE scope = new.scope AND month = new.month AND kind = new.kind AND base = new.base AND n = 0;
	INSERT INTO cell(scope, month, kind, truth, stated, refused, dirty) SELECT new.scope, new.month, new.kind, 0, 0, 0, 0
	WHERE NOT EXISTS(SELECT 1 FROM cell c WHERE c.scope = new.scope AND c.month = new.month AND c.kind = new.kind);
	UPDATE cell SET corrected = (SELECT coalesce(sum(value), 0) FROM leaning l WHERE l.scope = new.scope
			AND l.month = new.month AND l.kind = new.kind),
		unsettled = EXISTS(SELECT 1 FROM leaning l WHERE l.scope = new.scope AND l.month = new.month
			AND l.kind = new.kind AND l.base <> cell.stated)
	WHERE scope = new.scope AND month = new.month AND kind = new.kind;
END;

CREATE TRIGGER org_unit_in AFTER INSERT ON org_unit BEGIN
	INSERT INTO placing VALUES(new.id, new.alive0 = 1 AND new.level = 6, new.parent);
END;
CREATE TRIGGER org_unit_change AFTER UPDATE OF level, parent, alive0 ON org_unit BEGIN
	INSERT INTO placing VALUES(new.id, new.alive0 = 1 AND new.level = 6, new.parent);
END;
CREATE TRIGGER org_unit_out AFTER DELETE ON org_unit BEGIN
	INSERT INTO placing VALUES(old.id, 0, NULL);
END;
CREATE VIEW placing AS SELECT x'' AS id, 0 AS site, x'' AS parent;
CREATE TRIGGER placing_in INSTEAD OF INSERT ON placing BEGIN
	INSERT INTO naming VALUES(new.id);
	INSERT INTO naming SELECT new.parent WHERE coalesce(new.site, 0) AND typeof(new.parent) = 'blob'
		AND length(new.parent) = 16;
	UPDATE scope SET site = coalesce(new.site, 0), fold = CASE WHEN coalesce(new.site, 0) AND new.parent <> new.id
		THEN coalesce((SELECT p.ord FROM scope p WHERE p.id = new.parent), 0) ELSE 0 END
	WHERE id = new.id;
END;
CREATE VIEW naming AS SELECT x'' AS id;
CREATE TRIGGER naming_in INSTEAD OF INSERT ON naming WHEN NOT EXISTS(SELECT 1 FROM scope WHERE id = new.id) BEGIN
	INSERT INTO scope(ord, id, parent, feed) SELECT m, new.id, 0, m
	FROM (SELECT coalesce(max(ord), 0) + 1 AS m FROM scope);
END;
CREATE TRIGGER scope_moves AFTER UPDATE OF fold ON scope WHEN new.fold <> old.fold BEGIN
	INSERT INTO folded SELECT coalesce(nullif(old.fold, 0), old.ord), old.ord, c.month, c.kind, -c.amount, -c.unsettled,
		-(c.kind = 2 AND c.amount > 0) FROM cell_amount c WHERE c.scope = old.ord;
	INSERT INTO folded SELECT coalesce(nullif(new.fold, 0), new.ord), new.ord, c.month, c.kind, c.amount, c.unsettled,
		c.kind = 2 AND c.amount > 0 FROM cell_amount c WHERE c.scope = new.ord;
END;
CREATE VIEW cell_amount AS SELECT scope, month, kind,
	CASE WHEN stated + corrected BETWEEN -1099511627776 AND 1099511627776 THEN stated + corrected ELSE 0 END AS amount,
	unsettled OR stated + corrected NOT BETWEEN -1099511627776 AND 1099511627776 AS unsettled
	FROM cell WHERE kind <= 4;

CREATE TRIGGER device_in AFTER INSERT ON device WHEN new.alive0 = 1 AND new.revoked IS NULL BEGIN
	INSERT INTO equipping VALUES(new.org, 1);
END;
CREATE TRIGGER device_change AFTER UPDATE OF org, revoked, alive0 ON device BEGIN
	INSERT INTO equipping SELECT old.org, -1 WHERE old.alive0 = 1 AND old.revoked IS NULL;
	INSERT INTO equipping SELECT new.org, 1 WHERE new.alive0 = 1 AND new.revoked IS NULL;
END;
CREATE TRIGGER device_out AFTER DELETE ON device WHEN old.alive0 = 1 AND old.revoked IS NULL BEGIN
	INSERT INTO equipping VALUES(old.org, -1);
END;
CREATE VIEW equipping AS SELECT x'' AS org, 0 AS n;
CREATE TRIGGER equipping_in INSTEAD OF INSERT ON equipping WHEN typeof(new.org) = 'blob' AND length(new.org) = 16 BEGIN
	INSERT INTO naming VALUES(new.org);
	UPDATE scope SET devices = devices + new.n WHERE id = new.org;
END;

-- What it must be, from the rows of figures (cell.stated: recounted elsewhere), corrections, units and devices.
CREATE VIEW true_leaning AS SELECT scope, month,
	CASE kind WHEN 'volunteers' THEN 1 WHEN 'activities' THEN 2 WHEN 'participations' THEN 3 ELSE 4 END AS k,
	CASE WHEN value NOT BETWEEN -1099511627776 AND 1099511627776 THEN 4611686018427387904
		WHEN typeof(base) = 'integer' THEN base ELSE 0 END AS b,
	sum(CASE WHEN value BETWEEN -1099511627776 AND 1099511627776 THEN value ELSE 0 END) AS value, count(*) AS n
	FROM correction WHERE alive0 = 1 AND coalesce(alive1, 1) = 1 AND typeof(month) = 'integer'
	AND typeof(value) = 'integer' AND value <> 0
	AND kind IN ('volunteers', 'activities', 'participations', 'minutes') GROUP BY scope, month, k, b;
CREATE VIEW true_cell AS SELECT c.scope, c.month, c.kind,
	(SELECT coalesce(sum(value), 0) FROM leaning l WHERE l.scope = c.scope AND l.month = c.month
		AND l.kind = c.kind) AS corrected,
	EXISTS(SELECT 1 FROM leaning l WHERE l.scope = c.scope AND l.month = c.month AND l.kind = c.kind
		AND l.base <> c.stated) AS unsettled FROM cell c WHERE c.kind <= 4;
CREATE VIEW true_fold AS SELECT coalesce(nullif(s.fold, 0), s.ord) AS place, c.month,
	sum(c.amount * (c.kind = 1)) AS volunteers, sum(c.amount * (c.kind = 2)) AS activities,
	sum(c.amount * (c.kind = 3)) AS participations, sum(c.amount * (c.kind = 4)) AS minutes,
	sum(c.unsettled * (c.kind <> 1)) AS unsettled, sum(c.unsettled * (c.kind = 1)) AS standing
	FROM cell_amount c JOIN scope s ON s.ord = c.scope GROUP BY 1, 2;
CREATE VIEW true_busy AS SELECT coalesce(nullif(s.fold, 0), s.ord) AS place, s.ord AS member, c.month / 100 AS year,
	sum(1 << (c.month % 100)) AS months
	FROM cell_amount c JOIN scope s ON s.ord = c.scope WHERE c.kind = 2 AND c.amount > 0 GROUP BY 1, 2, 3;
CREATE VIEW true_scope AS SELECT s.ord, coalesce(u.alive0 = 1 AND u.level = 6, 0) AS site,
	CASE WHEN u.alive0 = 1 AND u.level = 6 AND u.parent <> u.id
		THEN coalesce((SELECT p.ord FROM scope p WHERE p.id = u.parent), 0) ELSE 0 END AS fold,
	coalesce(d.n, 0) AS devices
	FROM scope s LEFT JOIN org_unit u ON u.id = s.id
	LEFT JOIN (SELECT org, count(*) AS n FROM device WHERE alive0 = 1 AND revoked IS NULL GROUP BY org) d ON d.org = s.id;

-- name: fold_check
SELECT (SELECT count(*) FROM (SELECT * FROM true_scope EXCEPT SELECT ord, site, fold, devices FROM scope))
	+ (SELECT count(*) FROM (SELECT * FROM true_leaning EXCEPT SELECT * FROM leaning))
	+ (SELECT count(*) FROM (SELECT * FROM leaning EXCEPT SELECT * FROM true_leaning))
	+ (SELECT count(*) FROM (SELECT * FROM true_cell EXCEPT SELECT scope, month, kind, corrected, unsettled FROM cell))
	+ (SELECT count(*) FROM (SELECT * FROM true_fold WHERE volunteers OR activities OR participations OR minutes
		OR unsettled OR standing EXCEPT SELECT * FROM fold))
	+ (SELECT count(*) FROM fold f WHERE (volunteers OR activities OR participations OR minutes OR unsettled
		OR standing) AND NOT EXISTS(SELECT 1 FROM true_fold t WHERE t.place = f.place AND t.month = f.month))
	+ (SELECT count(*) FROM (SELECT * FROM true_busy EXCEPT SELECT * FROM busy))
	+ (SELECT count(*) FROM (SELECT * FROM busy WHERE months <> 0 EXCEPT SELECT * FROM true_busy))

-- name: fold_rebuild
INSERT INTO naming SELECT id FROM org_unit;
INSERT INTO naming SELECT parent FROM org_unit WHERE typeof(parent) = 'blob' AND length(parent) = 16;
INSERT INTO naming SELECT org FROM device WHERE typeof(org) = 'blob' AND length(org) = 16;
UPDATE scope SET site = t.site, devices = t.devices, fold = t.fold FROM true_scope t
WHERE t.ord = scope.ord AND (t.site, t.devices, t.fold) <> (scope.site, scope.devices, scope.fold);
DELETE FROM leaning;
INSERT INTO leaning SELECT * FROM true_leaning;
INSERT INTO cell(scope, month, kind, truth, stated, refused, dirty) SELECT DISTINCT scope, month, kind, 0, 0, 0, 0
FROM leaning l WHERE NOT EXISTS(SELECT 1 FROM cell c WHERE c.scope = l.scope AND c.month = l.month AND c.kind = l.kind);
UPDATE cell SET corrected = t.corrected, unsettled = t.unsettled FROM true_cell t
WHERE t.scope = cell.scope AND t.month = cell.month AND t.kind = cell.kind
	AND (t.corrected, t.unsettled) <> (cell.corrected, cell.unsettled);
DELETE FROM fold;
INSERT INTO fold SELECT * FROM true_fold;
DELETE FROM busy;
INSERT INTO busy SELECT * FROM true_busy;

-- Sites and those with a device by place.  Only what folds elsewhere is a site of a place.
-- name: fold_sites
SELECT s.fold, p.id, p.fold, count(*), sum(s.devices > 0) FROM scope s INDEXED BY scope_fold JOIN scope p ON p.ord = s.fold
WHERE s.fold > 0 GROUP BY s.fold
-- name: fold_top
SELECT ord, id FROM scope INDEXED BY scope_fold WHERE fold = 0 AND site = 0
-- name: fold_sums
SELECT place, sum(volunteers), sum(activities), sum(participations), sum(minutes), sum(unsettled + standing)
FROM fold WHERE month BETWEEN ?1 AND ?2 GROUP BY place
-- name: fold_before
SELECT place, sum(volunteers), sum(standing) FROM fold WHERE month < ?1 GROUP BY place
-- In the order of the key, which no table beside it has to sort; over years a member may stand in several rows.
-- name: fold_busy_year
SELECT place, count(*) FROM busy WHERE year = ?1 / 100 AND member <> place
	AND months & (-1 << (?1 % 100)) & ~(-2 << (?2 % 100)) GROUP BY place
-- name: fold_busy_years
SELECT place, count(DISTINCT member) FROM busy WHERE year BETWEEN ?1 / 100 AND ?2 / 100 AND member <> place
	AND months & (CASE year WHEN ?1 / 100 THEN -1 << (?1 % 100) ELSE -1 END)
	& (CASE year WHEN ?2 / 100 THEN ~(-2 << (?2 % 100)) ELSE -1 END) GROUP BY place
