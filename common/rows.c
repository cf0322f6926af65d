#include "common/base.h"

#include "common/rows.h"

enum { PAGE = 1000 };

struct value row_value(const struct table *t, const struct row_view *v, const char *name)
{
	const struct field *f = table_field_named(t, name);

	assert(f);
	return v->values[f - t->fields];
}

int rows_each(struct store *st, const struct table *t, uint32_t scope,
              int (*each)(void *ctx, const struct row_view *v), void *ctx)
{
	uint8_t after[16];
	bool first = true;

	for (;;) {
		struct row_view *rows = NULL;
		size_t count = 0;
		struct arena a;
		int rc;
		arena_init(&a, 0);
		rc = store_rows_view(st, t, NULL, 0, scope, /* all= */ false, first ? NULL : after,
		                     PAGE, &a, &rows, &count);
		for (size_t i = 0; !rc && i < count; i++) {
			rc = each(ctx, &rows[i]);
			memcpy(after, rows[i].id, 16);
			first = false;
		}
		arena_done(&a);
		if (rc || count < PAGE) return rc;
	}
}
