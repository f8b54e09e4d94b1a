/* What the process of a run does until it is the builder. Failures end it, see failure.h. */
#ifndef BUILDER_H
#define BUILDER_H

#include <stddef.h>
#include "words.h"

/* A longer request is not given to a spare: it would not fit into one message. */
#define MAX_SPARE_REQUEST (96 * 1024)

/* Of what is open keep these alone, in ascending order: a lock of ours lasts as long as somebody has its file open. */
void keep_only(const int *kept, size_t count);

/* The part of a sandbox that does not depend on what is built: up to the first `bind`. Gives the root. */
int begin(const struct parsed *p, int terminal, int network, int channel);

/* The rest, and the builder, in a user name space that is there already, or (-1) in a new one. */
_Noreturn void finish(const struct parsed *p, int root, int terminal, int users);

/* A spare waits for the words of its run, and perhaps a user name space. */
_Noreturn void wait_for_run(int root, int terminal);

#endif
