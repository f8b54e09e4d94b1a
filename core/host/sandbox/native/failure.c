#include "failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int child_channel;

/* Tell the parent why there will be no builder: errno, the letter of the answer, words. */
static _Noreturn void tell(char kind, const char *format, va_list values) {
  int error = errno;
  char text[400];
  memcpy(text, &error, 4);
  text[4] = kind;
  vsnprintf(text + 5, sizeof text - 5, format, values);
  send(child_channel, text, 5 + strlen(text + 5) + 1, MSG_NOSIGNAL);
  _exit(127);
}

void fail(const char *format, ...) {
  va_list values;
  va_start(values, format);
  tell('f', format, values);
}

void fail_to_run(const char *format, ...) {
  va_list values;
  va_start(values, format);
  tell('x', format, values);
}
