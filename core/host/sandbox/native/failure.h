/* How the process of a builder tells why there will be no builder: with `errno` and words. It ends then. */
#ifndef FAILURE_H
#define FAILURE_H

/* Where the parent listens. */
extern int child_channel;

/* Its sandbox could not be made. */
_Noreturn void fail(const char *format, ...);
/* Its program could not be run. */
_Noreturn void fail_to_run(const char *format, ...);

#endif
