/* The words of a request, and what those of a run say. */
#ifndef WORDS_H
#define WORDS_H

#include <stddef.h>
#include <stdint.h>

int is(const char *verb, const char *name);

/* The words of so many bytes, which stay where they are; what is no list of words ends the program. The list is to be freed. */
char **split_words(char *data, size_t size, size_t *count);

struct parsed {
  char **words;
  size_t count;
  size_t filter_at, bind_at; /* of the words `seccomp` and the first `bind`; `count` when there is none */
  int share_network;
  const char *builder;
  char **argv, **envp;
  const void *filter;
  size_t filter_size;
  uint32_t uid, gid, ids, processes;
  uint64_t file_size, data_size;
  int may_gain;
  const char *group;
};

/* How many values follow a word of a run; -1 when it is none. */
int arity(const char *verb);

/* -1 when they do not say a run. `argv` and `envp` are to be freed in either case. */
int parse_run(char **words, size_t count, struct parsed *p);

#endif
