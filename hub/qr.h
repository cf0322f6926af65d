/*
 * qr.h - a line of text as a QR code of half blocks, for a terminal that a telephone looks at.
 */
#ifndef HUB_QR_H
#define HUB_QR_H

#include "common/buf.h"

/* Dark on light whatever the terminal's colours: light modules are drawn.  False: the text is too long. */
bool qr_text(const char *text, struct buf *out);

#endif
