/*
 * A sandbox made in advance: while a builder runs, a spare process gets ready for the next one. It has name spaces, and of the root
 * all up to the first `bind`, as the last run asked for. A run that asks for the same is given to it; any other one begins from nothing.
 */
#ifndef SPARE_H
#define SPARE_H

#include <stddef.h>
#include <sys/types.h>
#include "runs.h"

/* Builds come one after the other: the next one will ask for what this one did. */
void make_spare(void);

/* Give a request to the spare; NULL when there is none that is made for it. */
struct run *use_spare(const struct parsed *p, const char *data, size_t size, int *slave);

/* Where a spare speaks; -1 when there is none. */
int spare_channel(void);

/* A spare that says anything but that it is ready cannot be used; who needs a sandbox next is told why. */
void hear_spare(void);

/* A process ended, which may be the spare. */
void note_end_of_spare(pid_t pid);

/* Kill it, and wait until it is dead. */
void end_spare(void);

#endif
