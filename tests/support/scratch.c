#include "common/base.h"

#include "tests/support/scratch.h"

#include <ftw.h>

enum { DESCRIPTORS = 8, ANY = 6 /* characters X at the end, which mkdtemp replaces */ };

void scratch_make(const char *base, const char *name, char *ret, size_t ret_bytes)
{
	int n = snprintf(ret, ret_bytes, "%s/jinguo-%s-%0*d", base, name, ANY, 0);

	if (n >= ANY && (size_t)n < ret_bytes) memset(ret + n - ANY, 'X', ANY);
	if (n < 0 || (size_t)n >= ret_bytes || !mkdtemp(ret)) {
		fprintf(stderr, "no directory for %s at %s\n", name, base);
		abort();
	}
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

int scratch_remove(const char *dir)
{
	return nftw(dir, remove_one, DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}
