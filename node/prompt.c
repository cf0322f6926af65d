/*
 * prompt.c - see prompt.h.  Byte by byte from the descriptor: what stdio had read ahead would stay in its buffer, and the
 * lines behind belong to whoever reads next.
 */
#include <unistd.h> /* before base.h, which poisons names that it declares */

#include "common/base.h"

#include "node/prompt.h"

#include <termios.h>

static bool take(struct buf *out)
{
	char ch = 0;
	bool any = false;

	for (;;) {
		ssize_t n = read(STDIN_FILENO, &ch, 1);

		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) return any && !out->full;
		if (ch == '\n') break;
		buf_u8(out, (uint8_t)ch);
		any = true;
	}
	if (out->len && out->p[out->len - 1] == '\r') out->len--;
	return !out->full;
}

bool prompt_secret(const char *question, struct buf *out)
{
	struct termios was, quiet;
	bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &was) == 0, good;

	if (!terminal) return take(out);
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	(void)fputs(question, stderr);
	(void)fflush(stderr);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	good = take(out);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	(void)fputc('\n', stderr);
	return good;
}
