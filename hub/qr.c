/*
 * qr.c - see qr.h.
 */
#include "common/base.h"

#include "hub/qr.h"

#include <qrencode.h>

enum { QUIET = 2 /* modules of margin */ };

static bool dark(const QRcode *q, int x, int y)
{
	return x >= 0 && y >= 0 && x < q->width && y < q->width && (q->data[y * q->width + x] & 1);
}

bool qr_text(const char *text, struct buf *out)
{
	static const char *const halves[] = {
	        "█", "▄", "▀", " "}; /* both light; upper dark; lower dark; both dark */
	QRcode *q = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, /* casesensitive= */ 1);

	if (!q) return false;
	for (int y = -QUIET; y < q->width + QUIET; y += 2) {
		for (int x = -QUIET; x < q->width + QUIET; x++)
			buf_text(out,
			         halves[(dark(q, x, y) ? 1 : 0) + (dark(q, x, y + 1) ? 2 : 0)]);
		buf_text(out, "\n");
	}
	QRcode_free(q);
	return true;
}
