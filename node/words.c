#include "common/base.h"

#include "node/words.h"

#include <ctype.h>
#include <strings.h>

static const char *const texts[WORD_COUNT][2] = {
#define WORD_TEXT(NAME, ZH, EN) [WORD_##NAME] = {EN, ZH},
        WORDS(WORD_TEXT)
#undef WORD_TEXT
};

enum { WORD_CHARS_MAX = 40 };

enum language words_language(const char *lc_all, const char *lc_messages, const char *lang)
{
	const char *which = lc_all && *lc_all             ? lc_all
	                    : lc_messages && *lc_messages ? lc_messages
	                                                  : lang;
	if (!which || strncmp(which, "zh", 2) != 0 || isalpha((unsigned char)which[2]))
		return LANGUAGE_EN;
	const char *set = strchr(which, '.');
	return set && (!strncasecmp(set + 1, "utf-8", 5) || !strncasecmp(set + 1, "utf8", 4))
	               ? LANGUAGE_ZH
	               : LANGUAGE_EN;
}

const char *word_text(enum language l, enum word w)
{
	assert(w < WORD_COUNT);
	return texts[w][l == LANGUAGE_ZH];
}

void word_fill_texts(struct buf *out, enum language l, enum word w, const char *const *values)
{
	const char *p = word_text(l, w);

	for (const char *place; (place = strstr(p, "{}")); p = place + 2) {
		assert(*values); /* as many texts as places: a test counts them */
		buf_add(out, p, (size_t)(place - p));
		buf_text(out, *values++);
	}
	buf_text(out, p);
}

/* Edits between two words (insert, drop, change, swap of neighbours), at most WORD_CHARS_MAX long. */
static size_t distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	size_t d[WORD_CHARS_MAX + 1][WORD_CHARS_MAX + 1];

	if (la > WORD_CHARS_MAX || lb > WORD_CHARS_MAX) return SIZE_MAX;
	for (size_t i = 0; i <= la; i++) d[i][0] = i;
	for (size_t j = 0; j <= lb; j++) d[0][j] = j;
	for (size_t i = 1; i <= la; i++)
		for (size_t j = 1; j <= lb; j++) {
			size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	return d[la][lb];
}

int words_nearest(const char *typed, const char *const *names, size_t count)
{
	size_t best = strlen(typed) < 4 ? 2 : strlen(typed) / 3 + 2;
	int nearest = -1;

	for (size_t i = 0; i < count; i++) {
		size_t d = distance(typed, names[i]);
		if (d < best) {
			best = d;
			nearest = (int)i;
		}
	}
	return nearest;
}
