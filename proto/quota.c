#include "common/base.h"

#include "proto/quota.h"

#include "common/ident.h"
#include "proto/engine.h"

enum { DAY_MS = 24 * 60 * 60 * 1000, USE_BYTES = 44 };

static void key_of(const uint8_t child[16], char ret[64])
{
	char hex[33];
	hex_text(child, 16, hex);
	snprintf(ret, 64, "quota/%s", hex);
}

int quota_use_get(struct replica *r, const uint8_t child[16], struct quota_use *ret)
{
	char key[64];
	struct span m;
	memset(ret, 0, sizeof(*ret));
	key_of(child, key);
	int rc = store_meta_get(r->st, key, &r->scratch, &m);
	if (rc || m.len != USE_BYTES) return rc ? engine_fail(r, rc) : 0;
	struct cut c = cut_of(m);
	ret->day = (int64_t)cut_u64(&c);
	ret->bytes = cut_u64(&c);
	ret->bytes_all = cut_u64(&c);
	ret->runs = cut_u64(&c);
	ret->over_ms = (int64_t)cut_u64(&c);
	ret->code = (int)cut_u32(&c);
	return 0;
}

static int use_put(struct replica *r, const uint8_t child[16], const struct quota_use *u)
{
	char key[64];
	struct buf b;
	key_of(child, key);
	buf_init(&b, USE_BYTES);
	buf_u64(&b, (uint64_t)u->day);
	buf_u64(&b, u->bytes);
	buf_u64(&b, u->bytes_all);
	buf_u64(&b, u->runs);
	buf_u64(&b, (uint64_t)u->over_ms);
	buf_u32(&b, (uint32_t)u->code);
	int rc = store_meta_put(r->st, key, buf_span(&b));
	buf_done(&b);
	return rc ? engine_fail(r, rc) : 0;
}

static bool over(uint64_t used, uint64_t most, bool hub)
{
	uint64_t times = hub ? QUOTA_HUB_FACTOR : 1;
	return most && used / times >= most;
}

int quota_add(struct replica *r, const struct quota *q, const uint8_t child[16], bool hub,
              uint64_t bytes, uint64_t runs, uint64_t parked, int *ret_code)
{
	struct quota_use u;
	int64_t now = r->env->now_ms(r->env->ctx);
	int64_t day = now / DAY_MS - (now % DAY_MS < 0);
	*ret_code = 0;
	int rc = quota_use_get(r, child, &u);
	if (rc) return rc;
	bool other_day = u.day != day;
	if (other_day) { /* a clock that went back is another day too */
		u.day = day;
		u.bytes = u.runs = 0;
	}
	u.bytes += bytes;
	u.bytes_all += bytes;
	u.runs += runs;
	if (over(u.bytes_all, q->bytes_all, hub))
		*ret_code = ERR_QUOTA_JOURNAL;
	else if (over(u.bytes, q->bytes_day, hub))
		*ret_code = ERR_QUOTA_DAY;
	else if (over(parked, q->parked, hub))
		*ret_code = ERR_QUOTA_PARKED;
	else if (over(u.runs, q->runs_day, /* hub= */ false))
		*ret_code = ERR_QUOTA_RUNS;
	bool new_cause = *ret_code && (u.code != *ret_code || other_day);
	if (*ret_code) {
		u.code = *ret_code;
		u.over_ms = now > 0 ? now : 1;
	} else if (u.code) {
		u.code = 0;
		new_cause = true;
	}
	if (*ret_code) env_trace(r->env, "quota: %d", *ret_code);
	return bytes || runs || other_day || new_cause ? use_put(r, child, &u) : 0;
}
