/* Runs of builders, as the parent sees them: from the request to the answer that tells their end. */
#ifndef RUNS_H
#define RUNS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "words.h"

struct run {
  struct run *next;
  uint32_t id, uid, gid, ids;
  pid_t pid;
  int terminal; /* our side */
  int channel;  /* the child tells what is done or what failed; -1 later */
  int network;  /* name space of its own; -1 when it is yet to be opened, -2 when the host's is shared */
  int users;    /* its user name space; -1 when it is yet to be opened */
  int mounts;   /* its mount name space, kept so that it is not taken down before the end is told; -1 when it is not */
  int ended, status, failed;
  uint32_t peak; /* KiB, of its largest process */
  int silent;   /* its terminal has no writer any more */
};

/* All that have not been told to have ended. */
extern struct run *runs;

/* Make the process of a run, a spare one or one that begins at once; NULL with the reason in `errno` and `failed`. */
struct run *make_run(const struct parsed *p, int *slave, int is_spare, const char **failed);

/* A request to run a builder: its words, and the bytes they lie in. */
void start_run(uint32_t id, char **words, size_t count, const char *data, size_t size);

/* End every process of a run. */
void kill_run(uint32_t id);

/* What the process of a run says on its channel. */
void hear(struct run *run);

/* Pass on what its terminal has. True when there may be more. */
int read_output(struct run *run);

/* Note which processes ended. */
void reap(void);

/* Tell the end of those that ended, as far as the reader takes their output. */
void tell_ends(void);

/* Take down what is left of those whose end was told. */
void take_down_ended(void);

/* Kill all, and wait until they are dead. */
void end_runs(void);

#endif
